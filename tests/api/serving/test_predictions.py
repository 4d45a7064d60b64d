"""Predictions from logits, and the disagreement of an ensemble."""

import math

import numpy as np
import pytest
import torch

from api.serving.predictions import build_predictions, convert_logits
from shared.domain.task import TaskType
from worker.training.evaluation import decode_logits


@pytest.mark.parametrize("kind", TaskType)
def test_scores_and_answers_are_those_of_the_training(kind: TaskType) -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 4, (50, 1 if kind is TaskType.REGRESSION else 4)).astype(np.float32)
    predictions, probabilities = decode_logits(torch.from_numpy(logits), kind)
    found = build_predictions([logits], kind)
    assert [prediction.predicted for prediction in found] == list(predictions)
    assert all(prediction.disagreement is None for prediction in found)
    if kind is not TaskType.REGRESSION:
        np.testing.assert_allclose(
            [prediction.scores for prediction in found], probabilities, atol=1e-6
        )


@pytest.mark.parametrize("kind", [TaskType.SINGLE_LABEL, TaskType.MULTI_LABEL])
def test_extreme_logits_are_still_probabilities(kind: TaskType) -> None:
    scores = convert_logits(np.array([[1e30, -1e30], [-1e4, 1e4]], np.float32), kind)
    np.testing.assert_array_equal(scores, [[1, 0], [0, 1]])


def compute_logits(*probabilities: tuple[float, ...]) -> list[np.ndarray]:
    """Return logits with these probabilities, one row per member."""
    return [np.log(np.array([row], np.float32)) for row in probabilities]


def test_members_that_agree_have_a_vote_entropy_of_zero() -> None:
    [prediction] = build_predictions(compute_logits((0.9, 0.1), (0.7, 0.3)), TaskType.SINGLE_LABEL)
    assert prediction.scores == pytest.approx([0.8, 0.2])
    assert prediction.disagreement is not None
    assert prediction.disagreement.vote_entropy == 0
    assert prediction.disagreement.score_std == pytest.approx(0.1 * math.sqrt(2))


def test_votes_spread_as_far_as_they_can_have_an_entropy_of_one() -> None:
    [prediction] = build_predictions(compute_logits((0.9, 0.1), (0.2, 0.8)), TaskType.SINGLE_LABEL)
    assert prediction.disagreement is not None
    assert prediction.disagreement.vote_entropy == pytest.approx(1)
    four = compute_logits((0.7, 0.2, 0.1), (0.7, 0.2, 0.1), (0.1, 0.8, 0.1), (0.6, 0.3, 0.1))
    [prediction] = build_predictions(four, TaskType.SINGLE_LABEL)
    assert prediction.predicted == 0
    assert prediction.disagreement is not None
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(3)
    assert prediction.disagreement.vote_entropy == pytest.approx(entropy)
    assert prediction.disagreement.score_std == pytest.approx(np.std([0.7, 0.7, 0.1, 0.6], ddof=1))


def test_of_several_labels_the_entropy_is_the_mean_over_the_labels() -> None:
    yes, no = 2.0, -2.0
    members = [np.array([[yes, yes]], np.float32), np.array([[yes, no]], np.float32)]
    [prediction] = build_predictions(members, TaskType.MULTI_LABEL)
    assert prediction.predicted == (0,)  # one half is not above one half
    assert prediction.disagreement is not None
    assert prediction.disagreement.vote_entropy == pytest.approx(0.5)


def test_numbers_have_a_spread_and_no_votes() -> None:
    [prediction] = build_predictions(
        [np.array([[1.0]], np.float32), np.array([[2.0]], np.float32)], TaskType.REGRESSION
    )
    assert (prediction.predicted, prediction.scores) == (1.5, [1.5])
    assert prediction.disagreement is not None
    assert prediction.disagreement.vote_entropy is None
    assert prediction.disagreement.score_std == pytest.approx(math.sqrt(0.5))
