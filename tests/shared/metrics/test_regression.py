"""Regression scores against scipy and scikit-learn, and the score of a constant prediction."""

import random

import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from shared.metrics.regression import compute_constant_score, compute_scores, is_constant


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scipy_and_scikit_learn(seed: int) -> None:
    draw = random.Random(seed)
    labels = [draw.uniform(0, 5) for _ in range(50)]
    predictions = [label + draw.gauss(0, 1) for label in labels]
    found = compute_scores(labels, predictions)
    assert found["pearson"] == pytest.approx(pearsonr(labels, predictions).statistic)
    assert found["spearman"] == pytest.approx(spearmanr(labels, predictions).statistic)
    assert found["r2"] == pytest.approx(r2_score(labels, predictions))
    assert found["mae"] == pytest.approx(mean_absolute_error(labels, predictions))


def test_scores_worked_out_by_hand() -> None:
    found = compute_scores([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0])
    assert found == {
        "pearson": pytest.approx(0.6),
        "spearman": pytest.approx(0.6),
        "r2": pytest.approx(1 - 4 / 5),
        "mae": 1.0,
        "rmse": 1.0,
    }


def test_what_is_undefined_is_none_and_warns_of_nothing() -> None:
    constant = compute_scores([1.0, 2.0, 3.0], [0.7, 0.7, 0.7])
    assert (constant["pearson"], constant["spearman"]) == (None, None)
    assert constant["r2"] is not None
    assert compute_scores([2.0, 2.0], [1.0, 2.0])["r2"] is None
    nearly = compute_scores([1.0, 2.0, 3.0], [1000.0, 1000.0, 1000.0001])
    assert nearly["pearson"] is None, "rounding of a float32 is no answer"


@pytest.mark.parametrize(
    ("numbers", "constant"),
    [
        ([0.0, 0.0], True),
        ([1.0, 1.0 + 1e-8], True),
        ([1.0, 1.001], False),
        ([-1.0, 1.0], False),
        ([0.0, 1e-12], False),
    ],
)
def test_constant_but_for_rounding(numbers: list[float], constant: bool) -> None:
    assert is_constant(numbers) is constant


def test_the_best_constant_answer_is_the_mean() -> None:
    labels = [1.0, 2.0, 6.0]
    assert compute_constant_score("r2", labels) == pytest.approx(
        compute_scores(labels, [3.0] * 3)["r2"]
    )
    assert compute_constant_score("r2", [1.0, 1.0]) is None
    assert compute_constant_score("pearson", labels) is None
    with pytest.raises(ValueError, match="accuracy"):
        compute_constant_score("accuracy", labels)
