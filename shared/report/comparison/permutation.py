"""Permutation tests of a difference of means, unpaired and paired.

They assume no distribution, only that seeds are exchangeable between equal recipes (Fisher
1935; Pitman 1937). They are exact up to ``MAX_EXACT_REGROUPINGS`` regroupings and otherwise use
random ones with a fixed seed. Two-sided p is twice the smaller tail, as in
``scipy.stats.permutation_test``. They are written here because a comparison of ten jobs has 45
pairs: the regroupings of one pair of sizes are generated once and serve all pairs.
"""

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING

from shared.domain.wording import choose_verb
from shared.report.comparison.schemas import HypothesisTest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_EXACT_REGROUPINGS = 200_000
"""Up to this number every regrouping is tried: 10 against 10 seeds have 184,756."""
SAMPLED_REGROUPINGS = 99_999
"""Number of random regroupings otherwise; the observed one is included, so that p is never 0
(Phipson & Smyth 2010).
"""
MIN_PAIRS = 6
"""Matching seeds needed for the paired test: with 6, the smallest p is 2/2^6 = 0.031, below
0.05.
"""
RANDOM_SEED = 0
ROUNDING_TOLERANCE = 1e-11
"""Share of the largest score: regroupings whose sums differ by less count as equal."""
REGROUPING_BATCH = 20_000  # regroupings multiplied at once: 64 MB for 400 seeds

Scores = tuple[float, ...]


@lru_cache(maxsize=64)
def permutation_test(a: Scores, b: Scores) -> HypothesisTest:
    """Run the unpaired test: every way of choosing which scores are b's."""
    sizes = (len(a), len(b))
    if min(sizes) < 2:
        reason = "each job needs two scores to permute"
        return HypothesisTest(name="permutation", n=sizes, statistic=None, p=None, reason=reason)
    pooled = _center_scores([*a, *b])
    return HypothesisTest(
        name="permutation",
        n=sizes,
        statistic=statistics.fmean(b) - statistics.fmean(a),
        p=_compute_two_sided_p(
            _build_groupings(*sizes), pooled, float(pooled[len(a) :].sum()), _is_exact(*sizes)
        ),
        min_p=compute_smallest_p(*sizes),
    )


def paired_permutation_test(differences: Sequence[float]) -> HypothesisTest:
    """Run the paired test by seed: every way of flipping the signs of the differences (b minus
    a).
    """
    pairs = len(differences)
    sizes = (pairs, pairs)
    if pairs < MIN_PAIRS:
        there_are = f"there {choose_verb(pairs, 'is', 'are')} {pairs}"
        reason = f"{MIN_PAIRS} matching runs with a score in both jobs are needed; {there_are}"
        return HypothesisTest(
            name="paired_permutation", n=sizes, statistic=None, p=None, reason=reason
        )
    return HypothesisTest(
        name="paired_permutation",
        n=sizes,
        statistic=statistics.fmean(differences),
        p=_compute_paired_p(differences),
        min_p=2 / (2**pairs if 2**pairs <= MAX_EXACT_REGROUPINGS else SAMPLED_REGROUPINGS + 1),
    )


def _compute_paired_p(differences: Sequence[float]) -> float:
    import numpy as np

    pairs = len(differences)
    # flipping a sign moves the sum by twice that difference, so the sum of the flipped ones
    # gives the order
    return _compute_two_sided_p(
        _build_sign_flips(pairs),
        np.asarray(differences),
        0.0,
        exact=2**pairs <= MAX_EXACT_REGROUPINGS,
    )


def compute_smallest_p(size_a: int, size_b: int) -> float:
    """Return the unpaired test's p if every score of one job exceeds every score of the other."""
    regroupings = math.comb(size_a + size_b, size_a)
    return min(
        1.0, 2 / (regroupings if regroupings <= MAX_EXACT_REGROUPINGS else SAMPLED_REGROUPINGS + 1)
    )


def compute_seeds_needed(alpha: float, pair_count: int = 1) -> int | None:
    """Return the fewest seeds per job, equal for all, with which the unpaired test can reach
    ``alpha`` after Holm over this many pairs.

    None if not even ``MAX_EXACT_REGROUPINGS`` regroupings suffice.
    """
    seeds = 2
    while math.comb(2 * seeds, seeds) <= MAX_EXACT_REGROUPINGS:
        if pair_count * compute_smallest_p(seeds, seeds) <= alpha:
            return seeds
        seeds += 1
    return None


def _is_exact(size_a: int, size_b: int) -> bool:
    return math.comb(size_a + size_b, size_a) <= MAX_EXACT_REGROUPINGS


def _center_scores(scores: Sequence[float]) -> "NDArray[np.float64]":
    import numpy as np

    values = np.asarray(scores)
    centered: NDArray[np.float64] = values - statistics.fmean(scores)
    return centered


def _compute_two_sided_p(
    members: "NDArray[np.bool_]", values: "NDArray[np.float64]", observed: float, exact: bool
) -> float:
    """Compute twice the smaller tail of the observed sum.

    ``members`` has one row per regrouping, true for each value in the sum.
    """
    tolerance = ROUNDING_TOLERANCE * float(abs(values).max())
    below = above = 0
    for start in range(0, len(members), REGROUPING_BATCH):
        sums = members[start : start + REGROUPING_BATCH].astype(float) @ values
        below += int((sums <= observed + tolerance).sum())
        above += int((sums >= observed - tolerance).sum())
    tail = min(below, above)
    p = tail / len(members) if exact else (tail + 1) / (len(members) + 1)
    return min(1.0, 2 * p)


@lru_cache(maxsize=2)  # up to 40 MB each
def _build_groupings(size_a: int, size_b: int) -> "NDArray[np.bool_]":
    """Return rows that mark which of the pooled scores count as b's: all ways, or random ones."""
    import numpy as np

    total = size_a + size_b
    if not _is_exact(size_a, size_b):
        as_it_is = np.arange(total) >= size_a
        return np.random.default_rng(RANDOM_SEED).permuted(
            np.tile(as_it_is, (SAMPLED_REGROUPINGS, 1)), axis=1
        )
    ways = math.comb(total, size_b)
    chosen = np.fromiter(
        chain.from_iterable(combinations(range(total), size_b)), dtype=np.int16, count=ways * size_b
    )
    members = np.zeros((ways, total), dtype=bool)
    np.put_along_axis(members, chosen.reshape(ways, size_b).astype(np.intp), True, axis=1)
    return members


@lru_cache(maxsize=2)
def _build_sign_flips(pairs: int) -> "NDArray[np.bool_]":
    import numpy as np

    if 2**pairs > MAX_EXACT_REGROUPINGS:
        return np.random.default_rng(RANDOM_SEED).random((SAMPLED_REGROUPINGS, pairs)) < 0.5
    flips: NDArray[np.bool_] = (np.arange(2**pairs)[:, None] >> np.arange(pairs)) & 1 == 1
    return flips
