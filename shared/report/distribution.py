"""Descriptive statistics of a few scores. Undefined values are None, never NaN.

Means and standard deviations come from ``statistics``, which sums exactly: the same scores in
another order give the same bits, and equal scores a standard deviation of exactly 0. Only
``scipy.special`` is used, and only where needed: ``scipy.stats`` would cost the API process a
second of import and tens of megabytes.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.report.base import Interval
from shared.report.details import ForecastWidth
from shared.report.score_range import clip_score_interval, get_range_width

CONFIDENCE = 0.95
BOOTSTRAP_RESAMPLES = 10_000
BOOTSTRAP_SEED = 0
FORECAST_SEEDS = (5, 10, 20, 50, 100, 200)
Z95 = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)  # 1.96


@dataclass(frozen=True)
class Distribution:
    mean: float | None
    std: float | None
    min: float | None
    q1: float | None
    median: float | None
    q3: float | None
    max: float | None
    ci95: Interval | None
    bootstrap_ci95: Interval | None


def describe_distribution(scores: Sequence[float], metric: str) -> Distribution:
    """Describe finite scores; the order does not matter."""
    if not scores:
        return Distribution(*([None] * 9))
    return _describe_sorted(tuple(sorted(scores)), metric)


@lru_cache(maxsize=2048)  # a report is requested far more often than its scores change
def _describe_sorted(values: tuple[float, ...], metric: str) -> Distribution:
    q1, median, q3 = compute_quartiles(values)
    return Distribution(
        mean=compute_mean(values),
        std=compute_std(values),
        min=values[0],
        q1=q1,
        median=median,
        q3=q3,
        max=values[-1],
        ci95=mean_interval(values, metric),
        bootstrap_ci95=bootstrap_interval(values),
    )


def compute_mean(values: Sequence[float]) -> float:
    return clamp_to_values(statistics.fmean(values), values)


def clamp_to_values(number: float, values: Sequence[float]) -> float:
    """Return a mean of the values, kept between their extremes after rounding."""
    return min(max(number, min(values)), max(values))


def compute_std(values: Sequence[float]) -> float | None:
    """Compute the sample standard deviation (ddof 1); undefined for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def compute_quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Interpolate linearly between order statistics (Hyndman & Fan's type 7, numpy's default)."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return q1, median, q3


def mean_interval(values: Sequence[float], metric: str) -> Interval | None:
    """Compute Student's t interval of the mean, within the metric's range."""
    spread = compute_std(values)
    if spread is None:
        return None
    return student_interval(compute_mean(values), spread, len(values), metric)


def student_interval(center: float, spread: float, n: int, metric: str) -> Interval:
    """Compute Student's t interval of a mean from the standard deviation of n ≥ 2 scores, within
    the metric's range.
    """
    half = _compute_half_width(spread, n)
    return clip_score_interval((center - half, center + half), metric, center)


def _compute_half_width(spread: float, n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * spread / float(n**0.5)


def forecast_interval_widths(spread: float, n: int, metric: str) -> list[ForecastWidth]:
    """Compute the half width of Student's t interval of the mean at some larger numbers of seeds,
    for the same standard deviation; at most half the metric's range.
    """
    most = get_range_width(metric) / 2
    return [
        ForecastWidth(n=more, half_width=min(_compute_half_width(spread, more), most))
        for more in FORECAST_SEEDS
        if more > n
    ][:3]


def bootstrap_interval(values: tuple[float, ...]) -> Interval | None:
    """Compute the percentile bootstrap interval of the mean (Efron 1979). It is too narrow for
    few seeds, so it is reported beside Student's.
    """
    if len(values) < 2:
        return None
    import numpy as np

    means = np.asarray(values)[_draw_resamples(len(values))].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return clamp_to_values(float(low), values), clamp_to_values(float(high), values)


@lru_cache(maxsize=8)  # jobs have few distinct numbers of seeds; for twenty it takes 1.6 MB
def _draw_resamples(n: int) -> Any:
    """Draw the positions of the scores in each resample, ``[resample, score]``: the same for all
    jobs of this size.
    """
    import numpy as np

    return np.random.default_rng(BOOTSTRAP_SEED).integers(n, size=(BOOTSTRAP_RESAMPLES, n))


def wilson_interval(successes: int, trials: int) -> Interval | None:
    """Compute Wilson's score interval of a share; None without trials."""
    return share_interval(successes / trials, trials) if trials else None


def share_interval(share: float, trials: float) -> Interval:
    """Compute Wilson's score interval of a share that was observed in ``trials`` > 0; a mean
    number of trials need not be whole.
    """
    z2 = Z95**2
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * (share * (1 - share) / trials + z2 / (4 * trials**2)) ** 0.5
    low = 0.0 if share == 0 else max(0.0, center - half)
    high = 1.0 if share == 1 else min(1.0, center + half)
    return min(low, share), max(high, share)


def std_interval(spread: float, n: int, metric: str) -> Interval:
    """Compute the chi-squared interval of a standard deviation over n ≥ 2 scores, assumed to be
    normal; it shows how little a few seeds say.

    It ends at the largest standard deviation that n scores of the metric can have: that of half
    of them at either end of the range.
    """
    from scipy.special import chdtri

    tail = (1 - CONFIDENCE) / 2  # chdtri takes the upper tail's probability
    freedom = n - 1
    largest = get_range_width(metric) / 2 * (n / freedom) ** 0.5
    high = spread * (freedom / float(chdtri(freedom, 1 - tail))) ** 0.5
    return (
        spread * (freedom / float(chdtri(freedom, tail))) ** 0.5,
        max(spread, min(high, largest)),
    )
