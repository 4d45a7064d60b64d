"""The mean of an ensemble's scores, its predictions, and how often two members disagree."""

from itertools import combinations

import numpy as np
import pytest

from shared.domain.task import TaskType
from shared.metrics.ensemble import average_scores, measure_pair_disagreement, predict_label


def test_the_mean_is_that_of_numpy() -> None:
    members = np.random.default_rng(0).random((7, 20, 3))
    np.testing.assert_array_equal(average_scores(iter(members)), members.mean(axis=0))
    with pytest.raises(ValueError, match="at least one member"):
        average_scores([])


def test_the_mean_leaves_its_members_unchanged() -> None:
    members = [np.ones((2, 2)), np.zeros((2, 2))]
    average_scores(members)
    np.testing.assert_array_equal(members[0], np.ones((2, 2)))


def test_a_prediction_is_of_the_kind_of_the_task() -> None:
    scores = np.array([0.5, 0.2, 0.9])
    assert predict_label(scores, TaskType.SINGLE_LABEL) == 2
    assert predict_label(scores, TaskType.MULTI_LABEL) == (2,)
    assert predict_label(scores[:1], TaskType.REGRESSION) == 0.5
    assert predict_label(np.array([0.5, 0.5]), TaskType.SINGLE_LABEL) == 0


@pytest.mark.parametrize("members", [2, 3, 6])
def test_disagreement_is_the_mean_over_all_pairs(members: int) -> None:
    draw = np.random.default_rng(members)
    votes = [draw.integers(0, 3, 50).tolist() for _ in range(members)]
    shares = [np.mean(np.array(one) != np.array(two)) for one, two in combinations(votes, 2)]
    assert measure_pair_disagreement(votes) == pytest.approx(np.mean(shares))


def test_sets_of_labels_disagree_as_a_whole() -> None:
    assert measure_pair_disagreement([[(0, 1), ()], [(0,), ()]]) == 0.5


@pytest.mark.parametrize("votes", [[], [[1, 2]], [[], []]])
def test_without_pairs_or_rows_there_is_no_disagreement(votes: list[list[int]]) -> None:
    assert measure_pair_disagreement(votes) is None
