"""Single-label scores against scikit-learn and numbers computed by hand; constant predictions
against brute force.
"""

import math
import random

import pytest
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from shared.domain.task import TaskType
from shared.metrics.names import METRICS_BY_TASK_TYPE
from shared.metrics.single_label import (
    build_confusion_matrix,
    compute_class_scores,
    compute_constant_score,
    compute_scores,
)

METRICS = METRICS_BY_TASK_TYPE[TaskType.SINGLE_LABEL]


def list_metric_names(num_labels: int) -> tuple[str, ...]:
    return tuple(name for name in METRICS if name != "f1" or num_labels == 2)


def test_binary_scores_are_those_worked_out_by_hand() -> None:
    # positive = 1: 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
    labels = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    predictions = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    found = compute_scores(labels, predictions, num_labels=2, positive_index=1)
    assert found["accuracy"] == found["f1_micro"] == pytest.approx(0.7)
    assert found["f1"] == pytest.approx(6 / 9)
    assert found["balanced_accuracy"] == pytest.approx((3 / 5 + 4 / 5) / 2)
    assert found["f1_macro"] == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert found["mcc"] == pytest.approx((3 * 4 - 1 * 2) / math.sqrt(4 * 5 * 5 * 6))
    assert build_confusion_matrix(labels, predictions, 2) == [[4, 1], [2, 3]]


def test_f1_is_about_the_positive_label() -> None:
    labels, predictions = [0, 0, 1, 1, 1], [0, 1, 1, 1, 1]
    assert compute_scores(labels, predictions, 2, positive_index=0)["f1"] == pytest.approx(2 / 3)
    assert compute_scores(labels, predictions, 2, positive_index=1)["f1"] == pytest.approx(6 / 7)


def test_three_labels_have_no_binary_f1() -> None:
    found = compute_scores([0, 1, 2, 2], [0, 1, 2, 1], num_labels=3, positive_index=None)
    assert set(found) == set(list_metric_names(3)) == set(METRICS) - {"f1"}


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    draw = random.Random(3)
    labels = [draw.randrange(4) for _ in range(200)]
    predictions = [draw.randrange(4) for _ in range(200)]
    assert compute_scores(labels, predictions, 4, None)["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(labels, predictions)
    )


def test_a_class_that_is_predicted_but_never_occurs_costs_no_warning() -> None:
    assert compute_scores([0, 0, 1, 1], [0, 2, 1, 1], num_labels=3, positive_index=None)[
        "balanced_accuracy"
    ] == pytest.approx(0.75)


def test_what_is_undefined_is_none() -> None:
    one_class = compute_scores([0, 0, 0], [0, 0, 0], num_labels=2, positive_index=1)
    assert one_class["mcc"] is None
    assert one_class["f1"] is None
    assert one_class["accuracy"] == 1.0
    assert compute_scores([0, 0, 0], [0, 1, 0], num_labels=2, positive_index=1)["f1"] == 0.0


def test_constant_predictions_have_a_matthews_of_zero() -> None:
    assert compute_scores([0, 1, 1, 0, 1], [1] * 5, num_labels=2, positive_index=1)["mcc"] == 0.0


@pytest.mark.parametrize(
    ("num_labels", "metric"),
    [(num, metric) for num in (2, 3, 5) for metric in list_metric_names(num)],
)
@pytest.mark.parametrize("seed", range(4))
def test_the_best_constant_answer_is_the_best_of_all_constant_answers(
    metric: str, num_labels: int, seed: int
) -> None:
    draw = random.Random(seed)
    labels = [
        *range(num_labels),
        *(min(draw.randrange(num_labels), draw.randrange(num_labels)) for _ in range(60)),
    ]
    positive = 1 if num_labels == 2 else None
    tried = [
        compute_scores(labels, [answer] * len(labels), num_labels, positive)[metric]
        for answer in range(num_labels)
    ]
    best = max(score for score in tried if score is not None)
    assert compute_constant_score(metric, labels, num_labels, positive) == pytest.approx(best)


def test_a_constant_answer_to_constant_labels_has_no_matthews() -> None:
    assert compute_constant_score("mcc", [1, 1], 2, 1) is None


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="bleu"):
        compute_constant_score("bleu", [0, 1], 2, 1)
    with pytest.raises(ValueError, match="positive"):
        compute_scores([0, 1], [0, 1], 2, None)


@pytest.mark.parametrize("num_labels", [2, 4])
def test_scores_of_each_class_are_those_of_scikit_learn(num_labels: int) -> None:
    draw = random.Random(num_labels)
    labels = [draw.randrange(num_labels) for _ in range(90)]
    predictions = [draw.randrange(num_labels) for _ in range(90)]
    found = compute_class_scores(
        labels, predictions, [f"label {index}" for index in range(num_labels)]
    )
    expected = precision_recall_fscore_support(labels, predictions)
    assert [row.label for row in found] == [f"label {index}" for index in range(num_labels)]
    for row, precision, recall, f1, support in zip(found, *expected, strict=True):
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (precision, recall, f1, support)
        )


def test_a_class_that_is_not_there_or_never_predicted_has_undefined_scores() -> None:
    here, unpredicted, absent = compute_class_scores(
        [0, 0, 1], [0, 0, 0], ["here", "unpredicted", "absent"]
    )
    assert here.precision == pytest.approx(2 / 3)
    assert (here.recall, here.support) == (1.0, 2)
    assert (unpredicted.precision, unpredicted.recall, unpredicted.f1) == (None, 0.0, 0.0)
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (None, None, None, 0)
