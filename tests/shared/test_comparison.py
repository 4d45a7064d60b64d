"""The comparison's numbers against arithmetic written out here, and its verdict's restraint."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import JobsNotComparable
from shared.report.comparison import Comparison, ComparisonInput, HypothesisTest, build_comparison
from shared.report.comparison.inference import welch_test
from shared.report.comparison.permutation import (
    MAX_EXACT_REGROUPINGS,
    SAMPLED_REGROUPINGS,
    compute_seeds_needed,
    compute_smallest_p,
    permutation_test,
)
from tests.shared.reports import make_report

finite = st.floats(min_value=-1, max_value=1)
samples = st.lists(finite, max_size=6)


def compared(a: list[float], b: list[float], alpha: float = 0.05, **only_a: object) -> Comparison:
    return build_comparison(
        [
            ComparisonInput(make_report(a, job_id="ftjob-a", **only_a), preset="conventional"),
            ComparisonInput(make_report(b, job_id="ftjob-b"), preset="stabilized"),
        ],
        alpha,
    )


def named(comparison: Comparison, name: str) -> HypothesisTest:
    return next(test for test in comparison.pairs[0].tests if test.name == name)


class TestNumbers:
    # a: mean 0.70, deviations -0.1 0 0 0.1, variance 0.02/3
    # b: mean 0.85, deviations -0.05 -0.05 0.05 0.05, variance 0.01/3
    A, B = [0.6, 0.7, 0.7, 0.8], [0.8, 0.8, 0.9, 0.9]

    def test_difference_is_b_less_a(self) -> None:
        pair = compared(self.A, self.B).pairs[0]
        assert (pair.a, pair.b) == ("ftjob-a", "ftjob-b")
        assert pair.difference == pytest.approx(0.15)
        assert compared(self.B, self.A).pairs[0].difference == pytest.approx(-0.15)

    def test_welch_by_hand(self) -> None:
        # squared standard errors 0.02/12 and 0.01/12, together 0.0025, root 0.05: t = 0.15/0.05
        # = 3 freedom 0.0025² / ((0.02/12)²/3 + (0.01/12)²/3) = 6.25e-6 / 1.1574074e-6 = 5.4 p =
        # 2 · P(T > 3 | 5.4) lies between the table's values for 5 (0.0301) and 6 degrees
        # (0.0240)
        comparison = compared(self.A, self.B)
        welch = named(comparison, "welch")
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
        permutation = named(compared(self.A, self.B), "permutation")
        assert permutation.p == pytest.approx(6 / 70)
        assert permutation.min_p == pytest.approx(2 / 70)
        assert permutation.statistic == pytest.approx(0.15)

    def test_effect_sizes_by_hand(self) -> None:
        # pooled variance (0.02 + 0.01)/6 = 0.005, d = 0.15/√0.005 = 2.1213; of 16 pairs b is
        # higher in 14, equal in 2
        effect = compared(self.A, self.B).pairs[0].effect_size
        assert effect.cohens_d == pytest.approx(2.1213203)
        assert effect.cliffs_delta == pytest.approx(14 / 16)

    def test_scipy_agrees(self) -> None:
        from scipy import stats

        a, b = [0.61, 0.644, 0.59, 0.702, 0.688], [0.655, 0.673, 0.71, 0.74, 0.699, 0.72]
        comparison = compared(a, b)
        expected = stats.ttest_ind(b, a, equal_var=False)
        assert named(comparison, "welch").p == pytest.approx(expected.pvalue, rel=1e-9)
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


class TestVerdict:
    LOW, HIGH = [0.60, 0.61, 0.59, 0.62, 0.60], [0.70, 0.71, 0.69, 0.72, 0.70]

    def test_better(self) -> None:
        assert compared(self.LOW, self.HIGH).pairs[0].verdict.code == "b_better"
        assert compared(self.HIGH, self.LOW).pairs[0].verdict.code == "a_better"

    def test_text_has_the_numbers(self) -> None:
        text = compared(self.LOW, self.HIGH).pairs[0].verdict.text
        assert "stabilized is better than conventional by 0.100 accuracy" in text
        assert "permutation test p = 0.008" in text  # 2/252
        assert "5 and 5 seeds" in text

    def test_no_difference_is_not_called_equal(self) -> None:
        verdict = compared(self.LOW, [0.59, 0.62, 0.60, 0.61, 0.61]).pairs[0].verdict
        assert verdict.code == "no_difference_shown"
        assert "not the same as equal" in verdict.text

    def test_three_seeds_cannot_show_anything_at_five_percent(self) -> None:
        # 2/C(6, 3) = 0.1, 2/C(8, 4) = 0.029
        verdict = compared([0.1, 0.11, 0.12], [0.9, 0.91, 0.92]).pairs[0].verdict
        assert (verdict.code, verdict.seeds_needed) == ("not_enough_seeds", 4)
        assert (
            compared([0.1, 0.11, 0.12], [0.9, 0.91, 0.92], alpha=0.2).pairs[0].verdict.code
            == "b_better"
        )

    @pytest.mark.parametrize(("alpha", "seeds"), [(0.2, 3), (0.05, 4), (0.01, 5), (0.001, 7)])
    def test_seeds_needed(self, alpha: float, seeds: int) -> None:
        assert compute_seeds_needed(alpha) == seeds
        assert 2 / math.comb(2 * seeds, seeds) <= alpha < 2 / math.comb(2 * seeds - 2, seeds - 1)

    def test_one_test_alone_does_not_show_it(self) -> None:
        # of TestNumbers: Welch p = 0.028, permutation p = 0.086
        assert compared(TestNumbers.A, TestNumbers.B).pairs[0].verdict.code == "no_difference_shown"

    def test_all_degenerate_on_both_sides(self) -> None:
        a = ComparisonInput(make_report([0.4] * 5, degenerate=range(5)), preset="conventional")
        assert build_comparison([a, a]).pairs[0].verdict.code == "all_degenerate"

    def test_one_side_all_degenerate_is_compared_and_said(self) -> None:
        verdict = compared([0.4] * 5, self.HIGH, degenerate=range(5)).pairs[0].verdict
        assert verdict.code == "b_better"
        assert "all 5 seeds of conventional degenerate" in verdict.text

    def test_failed_and_open_runs_are_said(self) -> None:
        text = (
            compared([*self.LOW, 0.5, 0.5], self.HIGH, status={5: "failed", 6: "running"})
            .pairs[0]
            .verdict.text
        )
        assert "1 run of conventional failed" in text
        assert "conventional still has open runs" in text

    def test_spread_and_failures_are_said_whatever_the_means_do(self) -> None:
        wide, narrow = (
            [0.50, 0.90, 0.52, 0.88, 0.51, 0.89, 0.53, 0.87],
            [0.70, 0.71, 0.69, 0.70, 0.71, 0.70, 0.69, 0.72],
        )
        verdict = compared(wide, narrow, degenerate=range(5)).pairs[0].verdict
        assert verdict.code == "no_difference_shown"
        assert "The seeds of stabilized agree better: std 0.010 against 0.198" in verdict.text
        assert (
            "5 of 8 runs of conventional and 0 of 8 of stabilized are degenerate or failed"
            in verdict.text
        )

    def test_seeds_that_agree_because_they_learnt_nothing_are_not_praised(self) -> None:
        text = (
            compared([0.0] * 10, [0.05 * i for i in range(10)], degenerate=range(8))
            .pairs[0]
            .verdict.text
        )
        assert "agree better" not in text
        assert "lie closer together (std 0.000 against 0.151" in text
        assert "is no merit: most of its seeds learnt nothing" in text

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

    def test_fewer_than_two_jobs_are_no_comparison(self) -> None:
        with pytest.raises(ValueError, match="two jobs"):
            build_comparison([ComparisonInput(make_report([0.5]), "a")])

    def test_jobs_scored_differently_are_refused(self) -> None:
        with pytest.raises(JobsNotComparable, match="metric 'mcc'"):
            compared(self.LOW, self.HIGH, metric="mcc")
        with pytest.raises(JobsNotComparable, match="split 'test'"):
            compared(self.LOW, self.HIGH, split="test")


class TestUndefined:
    def test_no_spread_on_either_side_has_no_t(self) -> None:
        comparison = compared([0.5] * 5, [0.6] * 5)
        welch = named(comparison, "welch")
        assert (welch.p, welch.statistic, comparison.pairs[0].ci95) == (None, None, None)
        assert welch.reason is not None
        assert comparison.pairs[0].effect_size.cohens_d is None
        assert (
            comparison.pairs[0].verdict.code == "b_better"
        )  # every seed of b above every seed of a: permutation 2/252

    def test_spread_on_one_side_only_is_enough(self) -> None:
        # as a one-sample test: b's standard error alone, freedom n - 1
        from scipy import stats

        b = (0.60, 0.61, 0.64)
        assert welch_test((0.5, 0.5, 0.5), b).p == pytest.approx(
            stats.ttest_1samp(b, 0.5).pvalue, rel=1e-9
        )

    @pytest.mark.parametrize("scores", [[], [0.5]])
    def test_fewer_than_two_scores_have_a_reason(self, scores: list[float]) -> None:
        comparison = compared(scores, [0.5, 0.6, 0.7, 0.8])
        for name in ("welch", "permutation", "paired_permutation", "brown_forsythe"):
            assert named(comparison, name).p is None
            assert named(comparison, name).reason
        assert comparison.pairs[0].verdict.code == "not_enough_seeds"

    @settings(deadline=None, max_examples=60)
    @given(samples, samples)
    def test_never_nan(self, a: list[float], b: list[float]) -> None:
        json.loads(compared(a, b).model_dump_json(), parse_constant=pytest.fail)

    @settings(deadline=None, max_examples=60)
    @given(samples, samples, st.randoms(use_true_random=False))
    def test_order_of_the_seeds_does_not_matter(
        self, a: list[float], b: list[float], random: object
    ) -> None:
        shuffled = list(a)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        ours, theirs = compared(a, b).pairs[0], compared(shuffled, b).pairs[0]
        unpaired = {"difference", "ci95", "effect_size", "verdict"}
        assert ours.model_dump(include=unpaired) == theirs.model_dump(include=unpaired)
        assert [t for t in ours.tests if "paired" not in t.name] == [
            t for t in theirs.tests if "paired" not in t.name
        ]

    @settings(deadline=None, max_examples=60)
    @given(samples, samples)
    def test_swapping_the_jobs_swaps_the_signs(self, a: list[float], b: list[float]) -> None:
        here, there = compared(a, b).pairs[0], compared(b, a).pairs[0]
        if here.difference is not None:
            assert there.difference == -here.difference
        for name in ("welch", "permutation"):
            assert named(compared(a, b), name).p == pytest.approx(named(compared(b, a), name).p)


def test_wire_shape() -> None:
    body = json.loads(compared([0.5, 0.6], [0.7, 0.8]).model_dump_json())
    assert body.keys() >= {"object", "metric", "split", "alpha", "jobs", "pairs"}
    assert body["jobs"][0].keys() >= {
        "job_id",
        "preset",
        "n",
        "mean",
        "std",
        "degenerate",
        "failed",
    }
    assert body["pairs"][0].keys() >= {
        "a",
        "b",
        "difference",
        "ci95",
        "effect_size",
        "tests",
        "verdict",
    }
    assert body["pairs"][0]["tests"][0].keys() >= {
        "name", "alternative", "n", "statistic", "p", "p_holm", "min_p", "reason",
    }  # fmt: skip
    assert body["pairs"][0]["verdict"].keys() >= {"code", "text", "seeds_needed"}


def test_jobs_of_different_arithmetic_are_compared_with_a_warning() -> None:
    reports = [make_report([0.6, 0.7, 0.8], job_id=f"ftjob-{name}") for name in "ab"]

    def warned(*precisions: str) -> list[str]:
        jobs = [
            ComparisonInput(its, "debiased", precision=p)
            for its, p in zip(reports, precisions, strict=True)
        ]
        return [f"{warning.code}: {warning.message}" for warning in build_comparison(jobs).warnings]

    assert warned("bfloat16", "bfloat16") == warned("float32", "float32") == []
    [warning] = warned("float32", "bfloat16")
    assert warning.startswith(
        "different_precision: Trained in different arithmetic: debiased in float32, "
        "debiased in bfloat16."
    )
