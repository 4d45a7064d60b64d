"""Range of each metric: no interval of a score, or of a difference of scores, leaves it."""

import math

from shared.report.base import Interval

METRIC_FLOORS = {"mcc": -1.0, "pearson": -1.0, "spearman": -1.0} | dict.fromkeys(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro"), 0.0
)
"""Lowest value of each bounded metric."""
METRIC_CEILING = 1.0
"""Highest value of every metric."""


def get_score_range(metric: str) -> Interval:
    """Return the lowest and the highest possible score; minus infinity for a metric without a
    lowest one.
    """
    return METRIC_FLOORS.get(metric, -math.inf), METRIC_CEILING


def get_range_width(metric: str) -> float:
    low, high = get_score_range(metric)
    return high - low


def clip_score_interval(bounds: Interval, metric: str, center: float) -> Interval:
    """Cut an interval around ``center`` to the scores that the metric can take.

    A mean of scores cannot lie beyond that range, so the cut interval covers it exactly as often.
    The center stays inside even if rounding has put it beyond the range.
    """
    return _clip_interval(bounds, get_score_range(metric), center)


def clip_difference_interval(bounds: Interval, metric: str, center: float) -> Interval:
    """Cut an interval around the difference ``center`` to the possible differences of scores."""
    width = get_range_width(metric)
    return _clip_interval(bounds, (-width, width), center)


def _clip_interval(bounds: Interval, limits: Interval, center: float) -> Interval:
    return max(bounds[0], min(limits[0], center)), min(bounds[1], max(limits[1], center))
