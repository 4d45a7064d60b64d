"""Scores against scikit-learn and against numbers worked out by hand; constant answers against brute force."""

import json
import math
import random
import subprocess
import sys

import pytest
from sklearn.metrics import balanced_accuracy_score

from shared.metrics import METRICS, confusion, constant_answer_score, default_metric, metric_names, score_all


def test_binary_scores_are_those_worked_out_by_hand() -> None:
    # positive = 1: 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
    labels = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    predictions = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    scores = score_all(labels, predictions, num_labels=2, positive=1)
    assert scores["accuracy"] == scores["f1_micro"] == pytest.approx(0.7)
    assert scores["f1"] == pytest.approx(6 / 9)
    assert scores["balanced_accuracy"] == pytest.approx((3 / 5 + 4 / 5) / 2)
    assert scores["f1_macro"] == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert scores["mcc"] == pytest.approx((3 * 4 - 1 * 2) / math.sqrt(4 * 5 * 5 * 6))
    assert confusion(labels, predictions, 2) == [[4, 1], [2, 3]]


def test_f1_is_about_the_positive_label() -> None:
    labels, predictions = [0, 0, 1, 1, 1], [0, 1, 1, 1, 1]
    assert score_all(labels, predictions, 2, positive=0)["f1"] == pytest.approx(2 / 3)
    assert score_all(labels, predictions, 2, positive=1)["f1"] == pytest.approx(6 / 7)


def test_three_labels_have_no_binary_f1() -> None:
    scores = score_all([0, 1, 2, 2], [0, 1, 2, 1], num_labels=3, positive=None)
    assert tuple(scores) == metric_names(3) == tuple(name for name in METRICS if name != "f1")


def test_balanced_accuracy_is_that_of_scikit_learn() -> None:
    draw = random.Random(3)
    labels = [draw.randrange(4) for _ in range(200)]
    predictions = [draw.randrange(4) for _ in range(200)]
    assert score_all(labels, predictions, 4, None)["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(labels, predictions)
    )


def test_a_class_that_is_predicted_but_never_occurs_costs_no_warning() -> None:
    assert score_all([0, 0, 1, 1], [0, 2, 1, 1], num_labels=3, positive=None)["balanced_accuracy"] == pytest.approx(
        0.75
    )


def test_what_is_undefined_is_none() -> None:
    one_class = score_all([0, 0, 0], [0, 0, 0], num_labels=2, positive=1)
    assert one_class["mcc"] is None
    assert one_class["f1"] is None
    assert one_class["accuracy"] == 1.0
    assert score_all([0, 0, 0], [0, 1, 0], num_labels=2, positive=1)["f1"] == 0.0


def test_constant_predictions_have_a_matthews_of_zero() -> None:
    assert score_all([0, 1, 1, 0, 1], [1] * 5, num_labels=2, positive=1)["mcc"] == 0.0


@pytest.mark.parametrize(("num_labels", "metric"), [(num, metric) for num in (2, 3, 5) for metric in metric_names(num)])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_constant_answer_is_the_best_of_all_constant_answers(metric: str, num_labels: int, seed: int) -> None:
    draw = random.Random(seed)
    labels = [*range(num_labels), *(min(draw.randrange(num_labels), draw.randrange(num_labels)) for _ in range(60))]
    positive = 1 if num_labels == 2 else None
    tried = [score_all(labels, [answer] * len(labels), num_labels, positive)[metric] for answer in range(num_labels)]
    best = max(score for score in tried if score is not None)
    assert constant_answer_score(metric, labels, num_labels, positive) == pytest.approx(best)


def test_a_constant_answer_to_constant_labels_has_no_matthews() -> None:
    assert constant_answer_score("mcc", [1, 1], 2, 1) is None


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="bleu"):
        constant_answer_score("bleu", [0, 1], 2, 1)
    with pytest.raises(ValueError, match="positive"):
        score_all([0, 1], [0, 1], 2, None)


def test_the_default_metric_is_matthews_only_above_sixty_percent() -> None:
    assert default_metric({"a": 60, "b": 40}) == "accuracy"
    assert default_metric({"a": 61, "b": 39}) == "mcc"
    assert default_metric({"a": 34, "b": 33, "c": 33}) == "accuracy"


def test_importing_the_names_loads_no_scikit_learn() -> None:
    code = "import json, sys, shared.metrics; print(json.dumps([name for name in ('sklearn', 'torch') if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == []
