"""Scores of a regression's predictions: one number per row."""

import math
from collections.abc import Sequence

RELATIVE_TOLERANCE = 1e-6
"""Numbers that differ by less, relative to the largest, are equal: a model's float32 has 24
bits.
"""


def compute_scores(
    labels: Sequence[float], predictions: Sequence[float]
) -> dict[str, float | None]:
    """Compute Pearson's and Spearman's correlation, R², and the mean absolute and root mean
    squared error in the labels' unit.

    A correlation with constant numbers is undefined, as is R² for constant labels.
    """
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    varies = not is_constant(labels)
    return {
        **_compute_correlations(labels, predictions),
        "r2": _to_finite_score(r2_score(labels, predictions)) if varies else None,
        "mae": _to_finite_score(mean_absolute_error(labels, predictions)),
        "rmse": _to_finite_score(root_mean_squared_error(labels, predictions)),
    }


def _compute_correlations(
    labels: Sequence[float], predictions: Sequence[float]
) -> dict[str, float | None]:
    from scipy.stats import pearsonr, spearmanr

    if is_constant(labels) or is_constant(predictions):
        return {"pearson": None, "spearman": None}
    return {
        "pearson": _to_finite_score(pearsonr(labels, predictions).statistic),
        "spearman": _to_finite_score(spearmanr(labels, predictions).statistic),
    }


def compute_constant_score(metric: str, labels: Sequence[float]) -> float | None:
    """Return the best ``metric`` that predicting the same number for every row can reach: R² is
    0 with the labels' mean, a correlation is undefined.
    """
    match metric:
        case "pearson" | "spearman":
            return None
        case "r2":
            return None if is_constant(labels) else 0.0
    raise ValueError(f"{metric!r} is not a metric of numbers")


def compute_perfect_score(metric: str, labels: Sequence[float]) -> float | None:
    """Return the ``metric`` of predictions that equal the labels; None for constant labels."""
    if metric not in {"pearson", "spearman", "r2"}:
        raise ValueError(f"{metric!r} is not a metric of numbers")
    return None if is_constant(labels) else 1.0


def is_constant(numbers: Sequence[float]) -> bool:
    """Return whether all are equal, up to rounding."""
    low, high = min(numbers), max(numbers)
    return high - low <= RELATIVE_TOLERANCE * max(abs(low), abs(high))


def _to_finite_score(score: float) -> float | None:
    return float(score) if math.isfinite(score) else None
