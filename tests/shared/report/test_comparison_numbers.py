"""The comparison's tests and effect sizes, against scipy and arithmetic written out here."""

import math

import pytest

from shared.report.comparison.permutation import (
    MAX_EXACT_REGROUPINGS,
    SAMPLED_REGROUPINGS,
    compute_smallest_p,
    permutation_test,
)
from tests.shared.report.comparisons import compare, get_test


class TestNumbers:
    # a: mean 0.70, deviations -0.1 0 0 0.1, variance 0.02/3
    # b: mean 0.85, deviations -0.05 -0.05 0.05 0.05, variance 0.01/3
    A, B = [0.6, 0.7, 0.7, 0.8], [0.8, 0.8, 0.9, 0.9]

    def test_difference_is_b_less_a(self) -> None:
        pair = compare(self.A, self.B).pairs[0]
        assert (pair.a, pair.b) == ("ftjob-a", "ftjob-b")
        assert pair.difference == pytest.approx(0.15)
        assert compare(self.B, self.A).pairs[0].difference == pytest.approx(-0.15)

    def test_welch_by_hand(self) -> None:
        # squared standard errors 0.02/12 and 0.01/12, together 0.0025, root 0.05: t = 0.15/0.05
        # = 3 freedom 0.0025² / ((0.02/12)²/3 + (0.01/12)²/3) = 6.25e-6 / 1.1574074e-6 = 5.4 p =
        # 2 · P(T > 3 | 5.4) lies between the table's values for 5 (0.0301) and 6 degrees
        # (0.0240)
        comparison = compare(self.A, self.B)
        welch = get_test(comparison, "welch")
        assert welch.statistic == pytest.approx(3.0)
        assert welch.p is not None
        assert 0.0240 < welch.p < 0.0301
        # t(0.975) lies between 2.447 (6) and 2.571 (5): 0.15 ∓ 0.05 t
        assert comparison.pairs[0].ci95 is not None
        low, high = comparison.pairs[0].ci95
        assert 0.15 - 0.05 * 2.571 < low < 0.15 - 0.05 * 2.447
        assert low + high == pytest.approx(0.30)

    def test_permutation_by_hand(self) -> None:
        # of the 70 ways to choose a's four among 0.6 0.7 0.7 0.8 0.8 0.8 0.9 0.9, a sum of at
        # most 2.8 have: 0.6 0.7 0.7 with one of three 0.8: 3 ways; no other (0.6 0.7 0.8 0.8 is
        # 2.9). One tail 3/70, two-sided 6/70
        permutation = get_test(compare(self.A, self.B), "permutation")
        assert permutation.p == pytest.approx(6 / 70)
        assert permutation.min_p == pytest.approx(2 / 70)
        assert permutation.statistic == pytest.approx(0.15)

    def test_effect_sizes_by_hand(self) -> None:
        # pooled variance (0.02 + 0.01)/6 = 0.005, d = 0.15/√0.005 = 2.1213; of 16 pairs b is
        # higher in 14, equal in 2
        effect = compare(self.A, self.B).pairs[0].effect_size
        assert effect.cohens_d == pytest.approx(2.1213203)
        assert effect.cliffs_delta == pytest.approx(14 / 16)

    def test_scipy_agrees(self) -> None:
        from scipy import stats

        a, b = [0.61, 0.644, 0.59, 0.702, 0.688], [0.655, 0.673, 0.71, 0.74, 0.699, 0.72]
        comparison = compare(a, b)
        expected = stats.ttest_ind(b, a, equal_var=False)
        assert get_test(comparison, "welch").p == pytest.approx(expected.pvalue, rel=1e-9)
        assert comparison.pairs[0].ci95 == pytest.approx(
            tuple(expected.confidence_interval(0.95)), rel=1e-9
        )

    def test_ten_against_ten_seeds_are_still_exact(self) -> None:
        assert math.comb(20, 10) <= MAX_EXACT_REGROUPINGS
        assert compute_smallest_p(10, 10) == pytest.approx(2 / 184_756)

    def test_many_seeds_are_sampled_with_a_fixed_seed(self) -> None:
        a, b = (
            tuple(0.5 + 0.01 * index for index in range(12)),
            tuple(0.54 + 0.01 * index for index in range(12)),
        )
        first = permutation_test(a, b)
        permutation_test.cache_clear()
        assert first == permutation_test(a, b)
        assert first.min_p == pytest.approx(2 / (SAMPLED_REGROUPINGS + 1))
