"""Descriptive statistics of a few scores. Undefined values are None, never NaN.

Means and standard deviations come from ``statistics``, which sums exactly: the same scores in
another order give the same bits, and equal scores a standard deviation of exactly 0. Only
``scipy.special`` is used, and only where needed: ``scipy.stats`` would cost the API process a
second of import and tens of megabytes.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from shared.report.base import Interval
from shared.report.details import ForecastWidth

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


def describe_distribution(scores: Sequence[float]) -> Distribution:
    """Describe finite scores; the order does not matter."""
    return _describe_sorted(tuple(sorted(scores))) if scores else Distribution(*([None] * 9))


@lru_cache(maxsize=2048)  # a report is requested far more often than its scores change
def _describe_sorted(values: tuple[float, ...]) -> Distribution:
    q1, median, q3 = compute_quartiles(values)
    return Distribution(
        mean=compute_mean(values),
        std=compute_std(values),
        min=values[0],
        q1=q1,
        median=median,
        q3=q3,
        max=values[-1],
        ci95=mean_interval(values),
        bootstrap_ci95=bootstrap_interval(values),
    )


def compute_mean(values: Sequence[float]) -> float:
    return _clamp_to_range(statistics.fmean(values), values)


def _clamp_to_range(number: float, values: Sequence[float]) -> float:
    """Return the mean, kept between the extremes after rounding."""
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


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Compute Student's t interval of the mean."""
    spread = compute_std(values)
    if spread is None:
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * spread / len(values) ** 0.5
    center = compute_mean(values)
    return center - half, center + half


def forecast_interval_widths(spread: float, n: int) -> list[ForecastWidth]:
    """Compute the half width of Student's t interval of the mean at some larger numbers of seeds,
    for the same standard deviation.
    """
    from scipy.special import stdtrit

    return [
        ForecastWidth(
            n=more, half_width=float(stdtrit(more - 1, (1 + CONFIDENCE) / 2)) * spread / more**0.5
        )
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
    return _clamp_to_range(float(low), values), _clamp_to_range(float(high), values)


@lru_cache(maxsize=8)  # jobs have few distinct numbers of seeds; for twenty it takes 1.6 MB
def _draw_resamples(n: int) -> Any:
    """Draw the positions of the scores in each resample, ``[resample, score]``: the same for all
    jobs of this size.
    """
    import numpy as np

    return np.random.default_rng(BOOTSTRAP_SEED).integers(n, size=(BOOTSTRAP_RESAMPLES, n))


def wilson_interval(successes: int, trials: int) -> Interval | None:
    """Compute Wilson's score interval of a share."""
    if trials == 0:
        return None
    share, z2 = successes / trials, Z95**2
    center = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * (share * (1 - share) / trials + z2 / (4 * trials**2)) ** 0.5
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == trials else min(1.0, center + half)
    return low, high


def std_interval(spread: float, n: int) -> Interval:
    """Compute the chi-squared interval of a standard deviation over n ≥ 2 scores, assumed to be
    normal; it shows how little a few seeds say.
    """
    from scipy.special import chdtri

    tail = (1 - CONFIDENCE) / 2  # chdtri takes the upper tail's probability
    freedom = n - 1
    return (
        spread * (freedom / float(chdtri(freedom, tail))) ** 0.5,
        spread * (freedom / float(chdtri(freedom, 1 - tail))) ** 0.5,
    )


def binomial_standard_error(share: float, rows: int) -> float | None:
    """Compute the standard error of a score that is a share of ``rows`` correct predictions."""
    if rows < 1 or not 0 <= share <= 1:
        return None
    return math.sqrt(share * (1 - share) / rows)
