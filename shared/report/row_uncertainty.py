"""Uncertainty that the number of rows leaves, and what equal scores leave open."""

import math

from shared.report.base import Interval
from shared.report.details import EqualScores
from shared.report.distribution import CONFIDENCE, Z95, share_interval

ROW_SHARE_METRICS = frozenset({"accuracy"})
"""Metrics that are a share of the rows, to which the intervals of a share apply."""


def estimate_row_interval(metric: str, mean: float | None, rows: int | None) -> Interval | None:
    """Compute Wilson's interval of a mean score that is a share of the rows.

    The mean over seeds is a mean over rows: of the share of seeds that are right in each. The
    variance of such a share is at most p (1 - p), that of a single seed with the score p, so the
    interval is wide enough for the mean of several seeds as well.
    """
    if mean is None or not rows or metric not in ROW_SHARE_METRICS or not 0 <= mean <= 1:
        return None
    return share_interval(mean, rows)


def convert_to_standard_error(bounds: Interval | None) -> float | None:
    """Convert a Wilson interval to the standard error of the share: half its width over 1.96.

    For many rows this is the binomial √(p (1 - p) / rows). Unlike that, it is not 0 if all rows
    are right or all are wrong.
    """
    return None if bounds is None else (bounds[1] - bounds[0]) / (2 * Z95)


def bound_equal_scores(metric: str, score: float, n: int, rows: int | None) -> EqualScores:
    """Bound what ``n`` ≥ 2 equal scores leave open.

    One seed determines the score to differ from; none of the n - 1 others differs. So the
    Clopper-Pearson 95% bound on the share of all seeds that differ is 1 - 0.05^(1/(n-1)).
    """
    share = 1 - (1 - CONFIDENCE) ** (1 / (n - 1))
    is_row_share = rows and metric in ROW_SHARE_METRICS and 0 <= score <= 1
    std = _compute_largest_std(score, share, rows) if rows and is_row_share else None
    return EqualScores(differing_share=share, std=std)


def _compute_largest_std(score: float, share: float, rows: int) -> float:
    """Compute the largest std of scores of which ``share`` at most differ from ``score``, each by
    one row.

    With as many seeds one row above as one row below it is √share rows. A score of 0 or 1 can
    change in one direction only: √(share (1 - share)), which is largest at one half.
    """
    step = 1 / rows
    is_inside = step / 2 < score < 1 - step / 2
    if is_inside:
        return step * math.sqrt(share)
    share = min(share, 0.5)
    return step * math.sqrt(share * (1 - share))
