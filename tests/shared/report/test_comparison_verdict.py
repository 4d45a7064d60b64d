"""The comparison's verdict claims no more than the seeds support."""

import math

import pytest

from shared.domain.errors import JobsNotComparable
from shared.report.comparison import ComparisonInput, build_comparison
from shared.report.comparison.permutation import compute_seeds_needed
from tests.shared.report.comparisons import compare
from tests.shared.reports import make_report


class TestVerdict:
    LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60], [0.70, 0.71, 0.69, 0.72, 0.70]

    def test_better(self) -> None:
        assert compare(self.LOW, self.HIGH).pairs[0].verdict.code == "b_better"
        assert compare(self.HIGH, self.LOW).pairs[0].verdict.code == "a_better"

    def test_text_has_the_numbers(self) -> None:
        text = compare(self.LOW, self.HIGH).pairs[0].verdict.text
        assert "stabilized is better than conventional by 0.100 accuracy" in text
        assert "permutation test p = 0.008" in text  # 2/252
        assert "5 and 5 seeds" in text

    def test_no_difference_is_not_called_equal(self) -> None:
        verdict = compare(self.LOW, [0.59, 0.62, 0.60, 0.61, 0.61]).pairs[0].verdict
        assert verdict.code == "no_difference_shown"
        assert "does not mean that they are equal" in verdict.text

    def test_three_seeds_cannot_show_anything_at_five_percent(self) -> None:
        # 2/C(6, 3) = 0.1, 2/C(8, 4) = 0.029
        verdict = compare([0.1, 0.11, 0.12], [0.9, 0.91, 0.92]).pairs[0].verdict
        assert (verdict.code, verdict.seeds_needed) == ("not_enough_seeds", 4)
        assert (
            compare([0.1, 0.11, 0.12], [0.9, 0.91, 0.92], alpha=0.2).pairs[0].verdict.code
            == "b_better"
        )

    @pytest.mark.parametrize(("alpha", "seeds"), [(0.2, 3), (0.05, 4), (0.01, 5), (0.001, 7)])
    def test_seeds_needed(self, alpha: float, seeds: int) -> None:
        assert compute_seeds_needed(alpha) == seeds
        assert 2 / math.comb(2 * seeds, seeds) <= alpha < 2 / math.comb(2 * seeds - 2, seeds - 1)

    def test_one_test_alone_does_not_show_it(self) -> None:
        # Welch p = 0.028, permutation p = 0.086
        assert (
            compare([0.6, 0.7, 0.7, 0.8], [0.8, 0.8, 0.9, 0.9]).pairs[0].verdict.code
            == "no_difference_shown"
        )

    def test_all_degenerate_on_both_sides(self) -> None:
        a = ComparisonInput(make_report([0.4] * 5, degenerate=range(5)), preset="conventional")
        assert build_comparison([a, a]).pairs[0].verdict.code == "all_degenerate"

    def test_a_side_with_only_degenerate_seeds_is_compared_with_a_note(self) -> None:
        verdict = compare([0.4] * 5, self.HIGH, degenerate=range(5)).pairs[0].verdict
        assert verdict.code == "b_better"
        assert "all 5 seeds of conventional are degenerate" in verdict.text

    def test_failed_and_open_runs_are_noted(self) -> None:
        text = (
            compare([*self.LOW, 0.5, 0.5], self.HIGH, status={5: "failed", 6: "running"})
            .pairs[0]
            .verdict.text
        )
        assert "1 run of conventional failed" in text
        assert "conventional still has open runs" in text

    def test_spread_and_failures_are_reported_whether_or_not_the_means_differ(self) -> None:
        wide, narrow = (
            [0.50, 0.90, 0.52, 0.88, 0.51, 0.89, 0.53, 0.87],
            [0.70, 0.71, 0.69, 0.70, 0.71, 0.70, 0.69, 0.72],
        )
        verdict = compare(wide, narrow, degenerate=range(5)).pairs[0].verdict
        assert verdict.code == "no_difference_shown"
        assert "The scores of stabilized vary less: std 0.010 against 0.198" in verdict.text
        assert (
            "5 of 8 runs of conventional and 0 of 8 of stabilized are degenerate or failed"
            in verdict.text
        )

    def test_seeds_that_agree_because_they_learned_nothing_are_not_called_stable(self) -> None:
        text = (
            compare([0.0] * 10, [0.05 * i for i in range(10)], degenerate=range(8))
            .pairs[0]
            .verdict.text
        )
        assert "vary less: " not in text
        assert "vary less (std 0.000 against 0.151" in text
        assert "only because most of its seeds learned nothing" in text

    def test_runs_without_a_score_lose_by_their_failures(self) -> None:
        # a correlation of constant predictions is undefined: conventional has ten runs and not
        # one score
        a = make_report([None] * 10, degenerate=range(10), metric="pearson", job_id="ftjob-a")
        b = make_report([0.8 + 0.01 * i for i in range(10)], metric="pearson", job_id="ftjob-b")
        pair = build_comparison(
            [ComparisonInput(a, "conventional"), ComparisonInput(b, "stabilized")]
        ).pairs[0]
        assert (pair.verdict.code, pair.difference) == ("b_better", None)
        assert "10 of 10 runs of conventional and 0 of 10 of stabilized" in pair.verdict.text

    def test_fewer_than_two_jobs_are_refused(self) -> None:
        with pytest.raises(ValueError, match="two jobs"):
            build_comparison([ComparisonInput(make_report([0.5]), "a")])

    def test_jobs_scored_differently_are_refused(self) -> None:
        with pytest.raises(JobsNotComparable, match="metric 'mcc'"):
            compare(self.LOW, self.HIGH, metric="mcc")
        with pytest.raises(JobsNotComparable, match="split 'test'"):
            compare(self.LOW, self.HIGH, split="test")
