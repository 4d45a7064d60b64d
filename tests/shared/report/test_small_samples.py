"""Small samples stay small: intervals stay in the metric's range, and neither equal scores nor
rows that are all right show certainty.
"""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.metrics import METRICS, ClassScores
from shared.report.classes import summarize_classes
from shared.report.comparison.inference import welch_interval
from shared.report.distribution import (
    describe_distribution,
    forecast_interval_widths,
    share_interval,
    std_interval,
    wilson_interval,
)
from shared.report.figures.score_axis import build_score_axis
from shared.report.formatting import format_percent, format_spread
from shared.report.row_uncertainty import bound_equal_scores, estimate_row_interval
from shared.report.score_range import get_range_width, get_score_range
from tests.shared.report.comparisons import compare
from tests.shared.reports import list_warning_codes, make_detailed_report, make_report

rows = st.integers(1, 10**6)
metrics = st.sampled_from(METRICS)


@st.composite
def scored(draw: st.DrawFn, least: int = 1, most: int = 200) -> tuple[str, list[float]]:
    """Draw a metric and scores in its range; often equal, or at an end of the range."""
    metric = draw(metrics)
    low, high = get_score_range(metric)
    low = max(low, -5.0)
    one = st.floats(low, high) | st.sampled_from([low, high, 0.0])
    n = draw(st.integers(least, most))
    pool = draw(st.lists(one, min_size=1, max_size=5))
    return metric, [pool[draw(st.integers(0, len(pool) - 1))] if n < 9 else pool[i % len(pool)]
                    for i in range(n)]  # fmt: skip


def is_within(bounds: tuple[float, float], low: float, center: float, high: float) -> bool:
    return low <= bounds[0] <= center <= bounds[1] <= high


class TestRange:
    @settings(deadline=None, max_examples=200)
    @given(scored(least=2))
    def test_intervals_of_the_mean_stay_in_the_range(self, drawn: tuple[str, list[float]]) -> None:
        metric, scores = drawn
        found = describe_distribution(scores, metric)
        low, high = get_score_range(metric)
        assert found.mean is not None
        assert found.ci95 is not None
        assert found.bootstrap_ci95 is not None
        assert is_within(found.ci95, low, found.mean, high)
        assert low <= found.bootstrap_ci95[0] <= found.bootstrap_ci95[1] <= high

    @settings(deadline=None)
    @given(scored(least=2))
    def test_intervals_of_the_std_stay_in_the_range(self, drawn: tuple[str, list[float]]) -> None:
        metric, scores = drawn
        std = describe_distribution(scores, metric).std
        assert std is not None
        low, high = std_interval(std, len(scores), metric)
        assert 0 <= low <= std <= high
        half = get_range_width(metric) / 2
        assert high <= half * math.sqrt(len(scores) / (len(scores) - 1)) * (1 + 1e-12)
        widths = [one.half_width for one in forecast_interval_widths(std, len(scores), metric)]
        assert widths == sorted(widths, reverse=True)
        assert all(0 <= width <= half for width in widths)

    @settings(deadline=None)
    @given(metrics, st.data())
    def test_differences_stay_in_the_range(self, metric: str, data: st.DataObject) -> None:
        low, high = get_score_range(metric)
        samples = st.lists(st.floats(max(low, -5.0), high), min_size=2, max_size=8).map(tuple)
        a, b = data.draw(samples), data.draw(samples)
        bounds = welch_interval(a, b, metric)
        width = get_range_width(metric)
        if bounds is not None:
            assert -width <= bounds[0] <= math.fsum(b) / len(b) - math.fsum(a) / len(a) + 1e-9
            assert bounds[0] <= bounds[1] <= width

    def test_two_far_scores_cover_the_range_and_no_more(self) -> None:
        # t(0.975, 1) = 12.7: Student's interval of an accuracy would be -4.7 to 6.0
        assert make_report([0.21, 1.0]).ci95 == (0.0, 1.0)
        assert make_report([-0.9, 0.8], metric="mcc").ci95 == (-1.0, 1.0)
        bounds = make_report([-0.9, 0.8], metric="r2").ci95
        assert bounds is not None
        assert bounds[0] < -5
        assert bounds[1] == 1.0
        # t(0.975, 2) = 4.3, times √(0.25 + 0.25) = 0.71
        assert compare([0.0, 1.0], [0.0, 1.0]).pairs[0].ci95 == (-1.0, 1.0)

    def test_the_best_of_equal_scores_is_that_score(self) -> None:
        curve = make_detailed_report([1.0] * 30).best_of_n
        assert curve is not None
        assert {point.expected for point in curve.curve} == {1.0}


class TestRows:
    @settings(deadline=None)
    @given(rows, st.integers(0, 10**6))
    def test_the_interval_is_wilsons(self, total: int, drawn: int) -> None:
        from scipy.stats import binomtest

        right = drawn % (total + 1)
        theirs = binomtest(right, total).proportion_ci(method="wilson")
        ours = wilson_interval(right, total)
        assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-9)
        assert ours == estimate_row_interval("accuracy", right / total, total)

    @given(st.floats(0, 1), rows)
    def test_it_holds_the_score_and_is_never_empty(self, score: float, total: int) -> None:
        low, high = share_interval(score, total)
        assert 0 <= low <= score <= high <= 1
        assert low < high

    @given(st.floats(0, 1), st.integers(1, 10**6 - 1))
    def test_more_rows_make_it_narrower(self, score: float, total: int) -> None:
        few, many = share_interval(score, total), share_interval(score, total + 1)
        assert many[1] - many[0] <= few[1] - few[0]

    @pytest.mark.parametrize("score", [0.0, 1.0])
    def test_all_rows_right_or_wrong_have_a_standard_error(self, score: float) -> None:
        # 8 of 8: Wilson's lower end is 8 / (8 + 3.841459) = 0.675592, half of the rest over 1.96
        report = make_report([score] * 5, rows=8, majority=None)
        assert report.rows_ci95 == pytest.approx(
            (0.675592, 1.0) if score else (0.0, 0.324408), abs=1e-6
        )
        assert report.score_standard_error == pytest.approx(0.0827586, abs=1e-6)
        assert "small_evaluation_set" in list_warning_codes(report)

    @pytest.mark.parametrize(
        ("metric", "score"), [("accuracy", 1.0), ("mcc", 1.0), ("pearson", 1.0), ("spearman", -1.0),
                              ("r2", -3.0), ("r2", 1.0)],
    )  # fmt: skip
    @pytest.mark.parametrize("total", [1, 2, 8, 40])
    def test_few_rows_are_warned_of_at_any_score(
        self, metric: str, score: float, total: int
    ) -> None:
        regression = metric in ("pearson", "spearman", "r2")
        report = make_report([score] * 5, metric=metric, rows=total, regression=regression)
        assert "small_evaluation_set" in list_warning_codes(report)

    def test_no_share_of_rows_has_no_interval(self) -> None:
        assert make_report([1.0], metric="mcc", rows=8).rows_ci95 is None
        assert make_report([1.0], rows=None).rows_ci95 is None
        assert make_report([1.0], rows=0).rows_ci95 is None

    def test_recall_is_a_share_of_the_rows_with_the_label(self) -> None:
        def summarize(recall: float | None, support: int) -> tuple[float, float] | None:
            one = ClassScores(label="a", support=support, precision=1.0, recall=recall, f1=1.0)
            [label] = summarize_classes([[one], [one]]) or []
            return label.recall_rows_ci95

        assert summarize(1.0, 2) == pytest.approx((2 / 5.841459, 1.0), abs=1e-6)
        assert summarize(None, 0) is None


class TestEqualScores:
    def test_the_share_is_the_clopper_pearson_bound_of_the_other_seeds(self) -> None:
        from scipy.stats import binomtest

        for n in (2, 3, 5, 20, 200):
            theirs = binomtest(0, n - 1, alternative="less").proportion_ci(method="exact").high
            assert bound_equal_scores("mcc", 0.5, n, 48).differing_share == pytest.approx(theirs)

    @pytest.mark.parametrize("scores_equal_to", [2, 5])
    def test_any_mixture_that_the_bound_excludes_gives_equal_scores_rarely(
        self, scores_equal_to: int
    ) -> None:
        # k equally common scores are all equal in n seeds with probability k · (1/k)^n
        n = scores_equal_to
        share = bound_equal_scores("accuracy", 0.5, n, 48).differing_share
        for kinds in range(2, 50):
            if 1 - 1 / kinds > share:
                assert kinds * (1 / kinds) ** n <= 0.05 + 1e-12

    def test_the_std_is_the_largest_that_one_row_each_can_cause(self) -> None:
        # 5 seeds: 1 - 0.05^(1/4) = 0.527129; one row of 48 up or down: √0.527129 / 48
        inside = bound_equal_scores("accuracy", 43 / 48, 5, 48)
        assert inside.differing_share == pytest.approx(0.527129, abs=1e-6)
        assert inside.std == pytest.approx(0.0151258, abs=1e-6)
        # all right: only downwards, largest for half of the seeds
        assert bound_equal_scores("accuracy", 1.0, 5, 48).std == pytest.approx(0.5 / 48)
        # 20 seeds: 1 - 0.05^(1/19) = 0.145870, √(0.145870 · 0.854130) / 48
        assert bound_equal_scores("accuracy", 1.0, 20, 48).std == pytest.approx(0.0073536, abs=1e-6)
        assert bound_equal_scores("mcc", 1.0, 5, 48).std is None
        assert bound_equal_scores("accuracy", 1.0, 5, None).std is None

    @given(st.integers(2, 199), rows, st.data())
    def test_more_seeds_and_rows_bound_it_more(
        self, n: int, total: int, data: st.DataObject
    ) -> None:
        score = data.draw(st.integers(0, total)) / total
        found = bound_equal_scores("accuracy", score, n, total)
        more = bound_equal_scores("accuracy", score, n + 1, total)
        assert 0 < more.differing_share < found.differing_share < 1
        assert found.std is not None
        assert more.std is not None
        assert 0 < more.std <= found.std <= 1 / total

    def test_only_equal_scores_have_a_bound(self) -> None:
        assert make_report([0.8, 0.8]).equal_scores is not None
        assert make_report([0.8, 0.79]).equal_scores is None
        assert make_report([0.8]).equal_scores is None
        assert make_report([]).equal_scores is None

    def test_the_verdict_says_what_is_not_excluded(self) -> None:
        report = make_report([43 / 48] * 5, rows=48)
        assert report.verdict.code == "stable"
        assert "accuracy 0.896 (all 5 seeds equal)" in report.verdict.text
        assert "None of the 5 seeds differs, but up to 53% of all seeds may (95% bound)" in (
            report.verdict.text
        )
        assert "a std of up to 0.015 is not excluded" in report.verdict.text
        assert "0.000" not in report.verdict.text

    @pytest.mark.parametrize("metric", ["accuracy", "mcc"])
    def test_rows_too_few_for_a_small_spread_do_not_show_stability(self, metric: str) -> None:
        # one of 8 rows in one of 5 seeds: 0.125 / √5 = 0.056; of 24 rows 0.0186
        report = make_report([1.0] * 5, rows=8, metric=metric)
        assert report.verdict.code == "too_few_rows"
        assert "8 validation rows cannot show whether this is stable" in report.verdict.text
        assert "0.056, above 0.020" in report.verdict.text
        assert make_report([1.0] * 5, rows=24, metric=metric).verdict.code == "stable"

    def test_equal_scores_barely_above_a_baseline_are_not_shown_to_be_better(self) -> None:
        # ± t(0.975, 4) · 0.009075 / √5 = 0.0113 with the std that is not excluded
        near = make_report([0.8] * 5, rows=80, majority=0.79)
        assert near.verdict.code == "not_better_than_baseline"
        assert "interval with the std that is not excluded is 0.789 to 0.811" in near.verdict.text
        assert make_report([0.8] * 5, rows=80, majority=0.78).verdict.code == "stable"


class TestFigure:
    @pytest.mark.parametrize("metric", ["accuracy", "mcc", "r2"])
    @pytest.mark.parametrize("score", [0.0, 1.0])
    def test_the_axis_labels_only_possible_scores(self, metric: str, score: float) -> None:
        axis = build_score_axis([("a", make_report([score] * 5, metric=metric))], 600)
        low, high = get_score_range(metric)
        assert len(axis.ticks) > 3
        assert all(low <= tick <= high for tick in axis.ticks)
        assert axis.low < score < axis.high  # the marks at the ends are drawn whole


class TestWords:
    @pytest.mark.parametrize(
        ("std", "text"), [(0.0, "0.000"), (0.00004, "4e-05"), (0.0004, "0.0004"), (0.0151, "0.015"),
                          (None, "undefined")],
    )  # fmt: skip
    def test_only_no_spread_reads_as_none(self, std: float | None, text: str) -> None:
        assert format_spread(std) == text

    @pytest.mark.parametrize(
        ("share", "text"), [(0.0, "0%"), (1.0, "100%"), (0.004, "0.4%"), (0.996, "99.6%"),
                            (0.43, "43%"), (0.9999, "99.99%")],
    )  # fmt: skip
    def test_only_none_and_all_read_as_such(self, share: float, text: str) -> None:
        assert format_percent(share) == text
