"""Every test of a comparison against scipy on given vectors, and against arithmetic written out
here.
"""

import math
import random
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.report.comparison.inference import (
    adjust_with_holm,
    brown_forsythe_test,
    fisher_test,
    welch_test,
)
from shared.report.comparison.permutation import (
    MAX_EXACT_REGROUPINGS,
    MIN_PAIRS,
    SAMPLED_REGROUPINGS,
    compute_seeds_needed,
    compute_smallest_p,
    paired_permutation_test,
    permutation_test,
)

VECTORS = [
    ((0.61, 0.644, 0.59, 0.702, 0.688), (0.655, 0.673, 0.71, 0.74, 0.699, 0.72)),
    (
        (0.0, 0.0, 0.0, 0.061, 0.0, 0.004),
        (0.142, 0.151, 0.138, 0.125, 0.149, 0.147),
    ),  # most of one side degenerate
    ((0.8, 0.8, 0.9, 0.8), (0.9, 0.8, 0.9, 0.9, 0.9)),  # ties across
    ((0.5, 0.5, 0.5, 0.5), (0.4, 0.6, 0.45, 0.55)),  # one side constant
    ((-0.2, 0.3, 0.1), (0.9, 0.2, 0.4, 0.6)),
]
finite = st.floats(min_value=-1, max_value=1)
samples = st.lists(finite, max_size=7).map(tuple)


@pytest.mark.parametrize(("a", "b"), VECTORS)
class TestEqualToScipy:
    def test_welch(self, a: tuple[float, ...], b: tuple[float, ...]) -> None:
        from scipy import stats

        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Precision loss", RuntimeWarning
            )  # scipy's word on a constant side
            theirs = stats.ttest_ind(b, a, equal_var=False)
        ours = welch_test(a, b)
        assert (ours.statistic, ours.p) == pytest.approx(
            (theirs.statistic, theirs.pvalue), rel=1e-9
        )

    def test_permutation(self, a: tuple[float, ...], b: tuple[float, ...]) -> None:
        from scipy import stats

        def difference(x: "object", y: "object", axis: int) -> "object":
            return y.mean(axis=axis) - x.mean(axis=axis)  # type: ignore[attr-defined]

        ours = permutation_test(a, b)
        theirs = stats.permutation_test((a, b), difference, vectorized=True, n_resamples=math.inf)
        assert (ours.statistic, ours.p) == pytest.approx(
            (theirs.statistic, theirs.pvalue), rel=1e-12
        )

    def test_brown_forsythe(self, a: tuple[float, ...], b: tuple[float, ...]) -> None:
        from scipy import stats

        ours, theirs = brown_forsythe_test(a, b), stats.levene(a, b, center="median")
        assert (ours.statistic, ours.p) == pytest.approx(
            (theirs.statistic, theirs.pvalue), rel=1e-9
        )


@pytest.mark.parametrize("pairs", [6, 9])
def test_paired_permutation_is_scipys(pairs: int) -> None:
    from scipy import stats

    chance = random.Random(pairs)
    a = [chance.gauss(0.70, 0.03) for _ in range(pairs)]
    b = [score + chance.gauss(0.01, 0.02) for score in a]
    ours = paired_permutation_test([y - x for x, y in zip(a, b, strict=True)])
    theirs = stats.permutation_test(
        (b, a),
        lambda y, x, axis: (y - x).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=math.inf,
    )
    assert (ours.statistic, ours.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    assert ours.min_p == 2 / 2**pairs


def test_fisher_is_scipys_for_every_table_up_to_eight_runs() -> None:
    from scipy import stats

    for n_a in range(1, 8):
        for n_b in range(1, 9):
            for bad_a in range(n_a + 1):
                for bad_b in range(n_b + 1):
                    ours = fisher_test(bad_a, n_a, bad_b, n_b)
                    theirs = stats.fisher_exact([[bad_b, n_b - bad_b], [bad_a, n_a - bad_a]])
                    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
                    if ours.statistic is not None:
                        assert ours.statistic == pytest.approx(theirs.statistic)


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 1), (3, 3), (3, 5), (5, 2), (6, 6), (10, 4)])
def test_fishers_smallest_p_is_the_smallest_of_all_tables(n_a: int, n_b: int) -> None:
    every = [
        fisher_test(bad_a, n_a, bad_b, n_b).p
        for bad_a in range(n_a + 1)
        for bad_b in range(n_b + 1)
    ]
    assert fisher_test(0, n_a, 0, n_b).min_p == pytest.approx(
        min(p for p in every if p is not None)
    )


class TestByHand:
    def test_brown_forsythe(self) -> None:
        # medians 2 and 2; distances 1 0 1 and 2 0 2, means 2/3 and 4/3; between (2/3)²·9/6 = 2/3
        # within 2/3 + 8/3 = 10/3 on 4 degrees, 5/6: F = 0.8
        assert brown_forsythe_test((1.0, 2.0, 3.0), (0.0, 2.0, 4.0)).statistic == pytest.approx(0.8)

    def test_fisher(self) -> None:
        # 5 of 6 against 0 of 6: C(6,5)·C(6,0) = 6 of C(12,5) = 792 tables, and as many the
        # other way round: 12/792
        test = fisher_test(5, 6, 0, 6)
        assert test.p == pytest.approx(12 / 792)
        assert test.n == (6, 6)
        assert test.statistic == 0.0
        assert test.min_p == pytest.approx(2 / 924)

    def test_holm(self) -> None:
        # 0.01·4, 0.02·3, 0.03·2 = 0.06, 0.04·1 raised to 0.06
        assert adjust_with_holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
        assert adjust_with_holm([0.5, 0.9]) == [1.0, 1.0]
        assert adjust_with_holm([]) == []

    def test_holm_counts_an_undefined_p(self) -> None:
        assert adjust_with_holm([0.01, None, 0.02]) == [
            pytest.approx(0.03),
            None,
            pytest.approx(0.04),
        ]

    def test_paired_signs(self) -> None:
        # all six differences above 0: one of 64 signings is as high, two-sided 2/64
        assert paired_permutation_test([0.01, 0.02, 0.03, 0.01, 0.05, 0.02]).p == pytest.approx(
            2 / 64
        )
        assert paired_permutation_test([0.0] * 6).p == 1.0

    def test_five_pairs_are_too_few(self) -> None:
        test = paired_permutation_test([0.1] * (MIN_PAIRS - 1))
        assert (test.p, test.min_p, test.n) == (None, None, (5, 5))
        assert test.reason is not None
        assert "6 matching runs" in test.reason


class TestManySeeds:
    A = tuple(0.5 + 0.01 * index for index in range(12))
    B = tuple(0.54 + 0.01 * index for index in range(12))

    def test_sampled_p_is_near_the_exact_one(self) -> None:
        # C(24, 12) = 2,704,156 regroupings; their number as extreme, counted by dynamic
        # programming over the sums
        ways: dict[tuple[int, int], int] = {(0, 0): 1}
        for score in [round(100 * value) for value in (*self.A, *self.B)]:
            for (taken, total), number in list(ways.items()):
                key = taken + 1, total + score
                ways[key] = ways.get(key, 0) + number
        seen = sum(round(100 * value) for value in self.B)
        exact = (
            2
            * sum(
                number for (taken, total), number in ways.items() if taken == 12 and total >= seen
            )
            / math.comb(24, 12)
        )
        assert permutation_test(self.A, self.B).p == pytest.approx(
            exact, abs=4 * math.sqrt(exact / SAMPLED_REGROUPINGS)
        )

    def test_pairs_beyond_exact(self) -> None:
        chance = random.Random(0)
        differences = [chance.gauss(0.004, 0.01) for _ in range(25)]
        test = paired_permutation_test(differences)
        assert MAX_EXACT_REGROUPINGS < 2**25
        assert test.min_p == 2 / (SAMPLED_REGROUPINGS + 1)
        # the normal approximation: mean over the root of the mean square, √25
        z = sum(differences) / math.sqrt(sum(d * d for d in differences))
        assert test.p == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.02)


class TestNeed:
    @pytest.mark.parametrize(
        ("alpha", "pairs", "seeds"),
        [(0.05, 1, 4), (0.05, 3, 5), (0.05, 10, 6), (0.05, 45, 7), (0.001, 45, 10)],
    )
    def test_least_seeds(self, alpha: float, pairs: int, seeds: int) -> None:
        assert compute_seeds_needed(alpha, pairs) == seeds
        assert (
            pairs * compute_smallest_p(seeds, seeds)
            <= alpha
            < pairs * compute_smallest_p(seeds - 1, seeds - 1)
        )

    def test_an_alpha_out_of_reach_has_no_number(self) -> None:
        assert compute_seeds_needed(1e-9) is None


@settings(deadline=None, max_examples=150)
@given(samples, samples)
def test_never_nan_never_out_of_range(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [
            welch_test(a, b),
            permutation_test(a, b),
            brown_forsythe_test(a, b),
            paired_permutation_test(a),
        ]
    for test in found:
        assert (test.p is None) == (test.reason is not None)
        assert test.p is None or 0 <= test.p <= 1
        assert test.p is None or test.min_p is None or test.p >= test.min_p * (1 - 1e-12)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((0.1, 0.1, 0.3, 0.3), (0.2, 0.2, 0.6, 0.6)),
        ((0.5,) * 4, (0.5,) * 4),
        ((0.5,) * 3, (0.7,) * 3),
        ((), (0.1,) * 5),
    ],
)
def test_equal_distances_from_the_median_give_no_spread_to_test(
    a: tuple[float, ...], b: tuple[float, ...]
) -> None:
    # by rounding alone 0.3 - 0.2 differs from 0.2 - 0.1: that must not become an F of 1e30
    test = brown_forsythe_test(a, b)
    assert (test.p, test.statistic) == (None, None)
    assert test.reason
