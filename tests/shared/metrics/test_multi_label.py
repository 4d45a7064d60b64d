"""Multi-label scores against scikit-learn, and constant predictions against brute force."""

import random
from itertools import chain, combinations

import pytest
from sklearn.metrics import accuracy_score, f1_score

from shared.domain.task import TaskType
from shared.metrics.multi_label import (
    LabelSet,
    compute_class_scores,
    compute_constant_score,
    compute_scores,
)
from shared.metrics.names import METRICS_BY_TASK_TYPE

K = 4


def draw_label_sets(seed: int, rows: int = 60, share: float = 0.3) -> list[LabelSet]:
    draw = random.Random(seed)
    return [tuple(label for label in range(K) if draw.random() < share) for _ in range(rows)]


def build_matrix(rows: list[LabelSet]) -> list[list[int]]:
    return [[int(label in row) for label in range(K)] for row in rows]


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    labels, predictions = draw_label_sets(seed), draw_label_sets(seed + 100)
    truth, answers = build_matrix(labels), build_matrix(predictions)
    assert compute_scores(labels, predictions, K) == {
        "accuracy": pytest.approx(accuracy_score(truth, answers)),
        "f1_macro": pytest.approx(f1_score(truth, answers, average="macro")),
        "f1_micro": pytest.approx(f1_score(truth, answers, average="micro")),
    }
    assert [row.f1 for row in compute_class_scores(labels, predictions, "abcd")] == pytest.approx(
        list(f1_score(truth, answers, average=None))
    )


def test_scores_worked_out_by_hand() -> None:
    found = compute_scores([(0, 1), (), (2,)], [(0,), (), (2, 3)], K)
    assert found == {
        "accuracy": pytest.approx(1 / 3),
        "f1_macro": pytest.approx(2 / 4),  # labels 0 and 2 right, 1 missed, 3 made up
        "f1_micro": pytest.approx(2 * 2 / (3 + 3)),
    }


def test_no_label_anywhere_is_zero_not_an_error() -> None:
    assert compute_scores([(), ()], [(), ()], K) == {
        "accuracy": 1.0,
        "f1_macro": 0.0,
        "f1_micro": 0.0,
    }
    assert compute_constant_score("f1_micro", [(), ()], K) == 0.0


@pytest.mark.parametrize("metric", METRICS_BY_TASK_TYPE[TaskType.MULTI_LABEL])
@pytest.mark.parametrize(("seed", "share"), [(0, 0.2), (1, 0.5), (2, 0.8), (3, 0.05)])
def test_the_best_constant_set_is_the_best_of_all_sets(
    metric: str, seed: int, share: float
) -> None:
    labels = draw_label_sets(seed, share=share)
    every_set = chain.from_iterable(combinations(range(K), size) for size in range(K + 1))
    best = max(
        compute_scores(labels, [answer] * len(labels), K)[metric] or 0.0 for answer in every_set
    )
    assert compute_constant_score(metric, labels, K) == pytest.approx(best)
