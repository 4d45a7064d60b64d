"""Tests and effect sizes for two independent samples of scores. Undefined values are None,
never NaN.

The permutation tests are in ``permutation``. ``scipy.stats`` would cost the API process a
second of import and tens of megabytes, so its tests are implemented here with ``scipy.special``
and tested against it.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from shared.report.base import Interval
from shared.report.comparison.permutation import Scores
from shared.report.comparison.schemas import EffectSize, HypothesisTest
from shared.report.distribution import CONFIDENCE
from shared.report.score_range import clip_difference_interval

ROUNDING_TOLERANCE = 1e-12
"""Share of the largest deviation: a variance below its square consists of rounding errors."""


class _WelchStatistics(NamedTuple):
    difference: float
    standard_error: float
    degrees_of_freedom: float


def difference_of_means(a: Sequence[float], b: Sequence[float]) -> float | None:
    return statistics.fmean(b) - statistics.fmean(a) if a and b else None


def _compute_welch(a: Scores, b: Scores) -> _WelchStatistics | str:
    """Compute Welch's standard error and the Welch-Satterthwaite degrees of freedom, or the
    reason why they are undefined.
    """
    if min(len(a), len(b)) < 2:
        return "a job with fewer than two scores has no variance"
    share_a, share_b = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    if share_a + share_b == 0:
        return "neither job's scores vary, so the t statistic is undefined"
    part = share_a / (
        share_a + share_b
    )  # in this form small variances do not underflow when squared
    freedom = 1 / (part**2 / (len(a) - 1) + (1 - part) ** 2 / (len(b) - 1))
    return _WelchStatistics(
        statistics.fmean(b) - statistics.fmean(a), math.sqrt(share_a + share_b), freedom
    )


def welch_test(a: Scores, b: Scores) -> HypothesisTest:
    """Run Welch's t test (1947): a difference of means without equal variances, for roughly
    normal scores.
    """
    sizes, found = (len(a), len(b)), _compute_welch(a, b)
    if isinstance(found, str):
        return HypothesisTest(name="welch", n=sizes, statistic=None, p=None, reason=found)
    from scipy.special import stdtr

    statistic = found.difference / found.standard_error
    p = min(1.0, 2 * float(stdtr(found.degrees_of_freedom, -abs(statistic))))
    return HypothesisTest(name="welch", n=sizes, statistic=statistic, p=p)


def welch_interval(a: Scores, b: Scores, metric: str) -> Interval | None:
    """Compute Welch's interval of the difference of means, within the possible differences."""
    found = _compute_welch(a, b)
    if isinstance(found, str):
        return None
    from scipy.special import stdtrit

    half = float(stdtrit(found.degrees_of_freedom, (1 + CONFIDENCE) / 2)) * found.standard_error
    bounds = found.difference - half, found.difference + half
    return clip_difference_interval(bounds, metric, found.difference)


def brown_forsythe_test(a: Scores, b: Scores) -> HypothesisTest:
    """Run Brown & Forsythe's test (1974) of equal spread: an analysis of variance of the
    distances from each job's median.

    ``statistic`` is F with 1 and n_a + n_b - 2 degrees of freedom.
    """
    sizes, found = (len(a), len(b)), _compute_sums_of_squares(a, b)
    if isinstance(found, str):
        return HypothesisTest(name="brown_forsythe", n=sizes, statistic=None, p=None, reason=found)
    from scipy.special import fdtrc

    between, within = found
    freedom = sum(sizes) - 2
    statistic = between / (within / freedom)
    return HypothesisTest(
        name="brown_forsythe", n=sizes, statistic=statistic, p=float(fdtrc(1, freedom, statistic))
    )


def _compute_sums_of_squares(a: Scores, b: Scores) -> tuple[float, float] | str:
    """Compute the variance of the distances from each job's median, between and within jobs; or
    the reason why F is undefined.
    """
    if min(len(a), len(b)) < 3:
        return "each job needs three scores: two always lie equally far from their median"
    distances = [[abs(score - statistics.median(job)) for score in job] for job in (a, b)]
    of_a, of_b = map(statistics.fmean, distances)
    within = sum((d - of_a) ** 2 for d in distances[0]) + sum((d - of_b) ** 2 for d in distances[1])
    if within <= (ROUNDING_TOLERANCE * max(map(max, distances))) ** 2 * (len(a) + len(b)):
        return "within each job all scores lie equally far from the median, so F is undefined"
    return (of_b - of_a) ** 2 * len(a) * len(b) / (len(a) + len(b)), within


def fisher_test(failures_a: int, n_a: int, failures_b: int, n_b: int) -> HypothesisTest:
    """Run Fisher's exact test (1922) of equal failure rates, two-sided over the tables that are
    no more probable than the observed one.

    ``statistic`` is the odds ratio, b's odds of failing over a's; null if it is not finite.
    ``n`` counts runs, not scores.
    """
    sizes = (n_a, n_b)
    if min(sizes) == 0:
        reason = "a job without an ended run has no failure rate"
        return HypothesisTest(name="fisher", n=sizes, statistic=None, p=None, reason=reason)
    against = failures_a * (n_b - failures_b)
    # if all runs of one job fail and none of the other
    smallest_p = min(1.0, (2 if n_a == n_b else 1) / math.comb(n_a + n_b, n_a))
    return HypothesisTest(
        name="fisher",
        n=sizes,
        statistic=failures_b * (n_a - failures_a) / against if against else None,
        p=_compute_fisher_p(failures_a, n_a, failures_b, n_b),
        min_p=smallest_p,
    )


def _compute_fisher_p(failures_a: int, n_a: int, failures_b: int, n_b: int) -> float:
    failures = failures_a + failures_b
    observed = _count_tables(failures_a, n_a, failures, n_b)
    # counts of tables are unbounded integers, so that equal probabilities compare as equal
    no_more_probable = sum(
        ways
        for x in range(failures + 1)
        if 0 < (ways := _count_tables(x, n_a, failures, n_b)) <= observed
    )
    return no_more_probable / math.comb(n_a + n_b, failures)


def _count_tables(failures_a: int, n_a: int, failures: int, n_b: int) -> int:
    """Count the ways in which ``failures_a`` of the failures are a's."""
    return math.comb(n_a, failures_a) * math.comb(n_b, failures - failures_a)


def adjust_with_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Compute Holm's adjusted p (1979): at most alpha wrong rejections in the whole family, under
    any dependence.

    An undefined p stays undefined but counts in the family's size: that one test is undefined
    does not relax the others.
    """
    defined = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(defined):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p))
        adjusted[index] = largest
    return adjusted


def compute_effect_size(a: Scores, b: Scores) -> EffectSize:
    return EffectSize(cohens_d=_cohens_d(a, b), cliffs_delta=_cliffs_delta(a, b))


def _cohens_d(a: Scores, b: Scores) -> float | None:
    """Compute Cohen's d (1988), over the pooled standard deviation."""
    if min(len(a), len(b)) < 2:
        return None
    squares = statistics.variance(a) * (len(a) - 1) + statistics.variance(b) * (len(b) - 1)
    pooled = math.sqrt(squares / (len(a) + len(b) - 2))
    return (statistics.fmean(b) - statistics.fmean(a)) / pooled if pooled else None


def _cliffs_delta(a: Scores, b: Scores) -> float | None:
    """Compute Cliff's delta (1993)."""
    if not a or not b:
        return None
    return sum((y > x) - (y < x) for x in a for y in b) / (len(a) * len(b))
