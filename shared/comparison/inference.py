"""Tests and effect sizes for two independent samples of scores. Nothing here is ever NaN: what is undefined is None."""

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.comparison.shapes import EffectSize, HypothesisTest
from shared.report.distribution import CONFIDENCE
from shared.report.shapes import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_EXACT = 200_000
"""Regroupings up to which the permutation test tries every one: 10 against 10 seeds have 184,756."""
RANDOM_SEED = 0

Scores = tuple[float, ...]


class _Welch(NamedTuple):
    difference: float
    standard_error: float
    freedom: float


def difference_of_means(a: Sequence[float], b: Sequence[float]) -> float | None:
    return statistics.fmean(b) - statistics.fmean(a) if a and b else None


def _welch(a: Scores, b: Scores) -> _Welch | str:
    """Welch's standard error and the Welch-Satterthwaite degrees of freedom, or the reason why there are none."""
    if min(len(a), len(b)) < 2:
        return "a job with fewer than two scores has no variance"
    share_a, share_b = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    if share_a + share_b == 0:
        return "neither job's scores vary, so the t statistic is undefined"
    part = share_a / (share_a + share_b)  # in this form small variances do not underflow when squared
    freedom = 1 / (part**2 / (len(a) - 1) + (1 - part) ** 2 / (len(b) - 1))
    return _Welch(statistics.fmean(b) - statistics.fmean(a), math.sqrt(share_a + share_b), freedom)


def welch_test(a: Scores, b: Scores) -> HypothesisTest:
    """Welch's t test (1947): difference of means without assuming equal variances, scores taken as roughly normal."""
    sizes, found = (len(a), len(b)), _welch(a, b)
    if isinstance(found, str):
        return HypothesisTest(name="welch", n=sizes, statistic=None, p=None, reason=found)
    from scipy.special import stdtr

    statistic = found.difference / found.standard_error
    p = min(1.0, 2 * float(stdtr(found.freedom, -abs(statistic))))
    return HypothesisTest(name="welch", n=sizes, statistic=statistic, p=p)


def welch_interval(a: Scores, b: Scores) -> Interval | None:
    found = _welch(a, b)
    if isinstance(found, str):
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(found.freedom, (1 + CONFIDENCE) / 2)) * found.standard_error
    return found.difference - half, found.difference + half


@lru_cache(maxsize=64)
def permutation_test(a: Scores, b: Scores) -> HypothesisTest:
    """Unpaired permutation test of the difference of means (Fisher 1935), p two-sided as twice the smaller tail.

    It assumes no distribution, only that seeds are exchangeable between equal recipes; exact up to ``MAX_EXACT``
    regroupings, else by as many random ones (fixed seed).
    """
    sizes = (len(a), len(b))
    if min(sizes) < 2:
        return HypothesisTest(
            name="permutation", n=sizes, statistic=None, p=None, reason="it takes two scores of each job to permute"
        )
    from scipy.stats import permutation_test as scipy_permutation_test

    found = scipy_permutation_test(
        (a, b),
        _mean_difference,
        permutation_type="independent",
        vectorized=True,
        n_resamples=MAX_EXACT,
        batch=10_000,
        rng=RANDOM_SEED,
    )
    return HypothesisTest(
        name="permutation",
        n=sizes,
        statistic=float(found.statistic),
        p=float(found.pvalue),
        min_p=smallest_p(*sizes),
    )


def _mean_difference(a: "NDArray[Any]", b: "NDArray[Any]", axis: int) -> Any:
    return b.mean(axis=axis) - a.mean(axis=axis)


def smallest_p(size_a: int, size_b: int) -> float:
    """The permutation test's p when every score of one job is above every score of the other."""
    regroupings = math.comb(size_a + size_b, size_a)
    return min(1.0, 2 / (regroupings if regroupings <= MAX_EXACT else MAX_EXACT + 1))


def seeds_for(alpha: float) -> int:
    """Fewest seeds a job, both alike, with which the permutation test can reach ``alpha``."""
    seeds = 2
    while smallest_p(seeds, seeds) > alpha and math.comb(2 * seeds, seeds) <= MAX_EXACT:
        seeds += 1
    return seeds


def effect_size(a: Scores, b: Scores) -> EffectSize:
    return EffectSize(cohens_d=_cohens_d(a, b), cliffs_delta=_cliffs_delta(a, b))


def _cohens_d(a: Scores, b: Scores) -> float | None:
    if min(len(a), len(b)) < 2:
        return None
    squares = statistics.variance(a) * (len(a) - 1) + statistics.variance(b) * (len(b) - 1)
    pooled = math.sqrt(squares / (len(a) + len(b) - 2))
    return (statistics.fmean(b) - statistics.fmean(a)) / pooled if pooled else None


def _cliffs_delta(a: Scores, b: Scores) -> float | None:
    if not a or not b:
        return None
    return sum((y > x) - (y < x) for x in a for y in b) / (len(a) * len(b))
