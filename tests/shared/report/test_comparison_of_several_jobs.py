"""Comparisons of more than two jobs: every pair, Holm's adjustment, and seeds enough for all
pairs.
"""

import pytest

from shared.report.comparison import Comparison, ComparisonInput, build_comparison
from tests.shared.reports import make_report


class TestSeveral:
    """Three jobs are three pairs, and each kind of test is a family of three for Holm."""

    LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60], [0.70, 0.71, 0.69, 0.72, 0.70]

    def several(self, *scores: list[float]) -> Comparison:
        reports = [make_report(one, job_id=f"ftjob-{index}") for index, one in enumerate(scores)]
        return build_comparison(
            [ComparisonInput(report, f"recipe {index}") for index, report in enumerate(reports)]
        )

    def test_every_pair_in_order(self) -> None:
        pairs = self.several(self.LOW, self.HIGH, self.LOW).pairs
        assert [(pair.a, pair.b) for pair in pairs] == [
            ("ftjob-0", "ftjob-1"),
            ("ftjob-0", "ftjob-2"),
            ("ftjob-1", "ftjob-2"),
        ]
        assert [pair.verdict.code for pair in pairs] == [
            "b_better",
            "no_difference_shown",
            "a_better",
        ]

    def test_holm_by_hand(self) -> None:
        # exact permutation p: 2/252 twice (all of one above all of the other), 1.0 once (equal
        # scores): times 3, times 2 but not below the first, times 1
        comparison = self.several(self.LOW, self.HIGH, self.LOW)
        tests = [
            next(test for test in pair.tests if test.name == "permutation")
            for pair in comparison.pairs
        ]
        assert [test.p for test in tests] == pytest.approx([2 / 252, 1.0, 2 / 252])
        assert [test.p_holm for test in tests] == pytest.approx([6 / 252, 1.0, 6 / 252])
        assert "(Holm over 3 pairs)" in comparison.pairs[0].verdict.text

    def test_one_pair_is_not_adjusted(self) -> None:
        assert all(test.p_holm is None for test in self.several(self.LOW, self.HIGH).pairs[0].tests)

    def test_the_need_of_seeds_grows_with_the_pairs(self) -> None:
        # four a side reach 2/70 = 0.029 alone, three times that among three pairs; five 3 ·
        # 2/252 = 0.024
        verdict = self.several(self.LOW[:4], self.HIGH[:4], self.LOW[:4]).pairs[0].verdict
        assert (verdict.code, verdict.seeds_needed) == ("not_enough_seeds", 5)
        assert "over 3 pairs" in verdict.text
