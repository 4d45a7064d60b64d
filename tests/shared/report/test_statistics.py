"""The report's numbers against arithmetic written out here."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.report import StabilityReport
from shared.report.distribution import std_interval, wilson_interval
from tests.shared.reports import list_warning_codes, make_report

# every field of GET …/stability that a client may rely on
WIRE_FIELDS = {
    "object", "job_id", "provisional", "metric", "split", "planned", "n", "mean", "std", "min",
    "q1", "median", "q3", "max", "ci95", "bootstrap_ci95", "degenerate", "failed", "cancelled",
    "discarded", "degenerate_rate", "best_run_id", "fine_tuned_model", "baselines", "verdict",
    "warnings", "runs",
}  # fmt: skip
RUN_FIELDS = {
    "run_id",
    "seed",
    "init_seed",
    "data_seed",
    "status",
    "degenerate",
    "score",
    "validation_score",
}

finite = st.floats(min_value=-1, max_value=1)
statuses = st.sampled_from(
    ["queued", "running", "paused", "succeeded", "failed", "cancelled", "discarded"]
)
runs = st.lists(st.tuples(st.none() | st.floats(), statuses, st.booleans()), max_size=12)


def report_of(drawn: list[tuple[float | None, str, bool]]) -> StabilityReport:
    return make_report(
        [score for score, _, _ in drawn],
        status={index: status for index, (_, status, _) in enumerate(drawn)},
        degenerate=[index for index, (_, _, flag) in enumerate(drawn) if flag],
        best_run_id="ftrun-0",
    )


class TestNumbers:
    def test_against_hand_computed_ones(self) -> None:
        # 0.60 0.70 0.75 0.80 0.90: sum 3.75, mean 0.75; deviations -0.15 -0.05 0 0.05 0.15,
        # squares 0.0225 0.0025 0 0.0025 0.0225, sum 0.05, over n - 1 = 4: 0.0125, root
        # 0.1118034; type-7 quartiles at positions 1, 2, 3
        report = make_report([0.75, 0.60, 0.90, 0.70, 0.80])
        assert report.n == 5
        assert report.mean == pytest.approx(0.75, abs=1e-15)
        assert report.std == pytest.approx(0.1118033988749895, abs=1e-15)
        assert (report.min, report.q1, report.median, report.q3, report.max) == (
            0.60,
            0.70,
            0.75,
            0.80,
            0.90,
        )
        # t(0.975, 4) = 2.7764451052 (table: 2.776), times 0.1118033989 / √5 = 0.05, is 0.1388222553
        assert report.ci95 == pytest.approx((0.75 - 0.1388222553, 0.75 + 0.1388222553), abs=1e-9)

    def test_quartiles_interpolate_linearly(self) -> None:
        # positions (n - 1) p = 0.75, 1.5, 2.25 among 0.1 0.2 0.4 0.8: 0.1 + 0.75·0.1, 0.2 +
        # 0.5·0.2, 0.4 + 0.25·0.4
        report = make_report([0.8, 0.1, 0.4, 0.2])
        assert (report.q1, report.median, report.q3) == pytest.approx((0.175, 0.3, 0.5), abs=1e-15)

    def test_wilson_interval_of_the_degenerate_rate(self) -> None:
        # 2 of 6, z = 1.959964, z² = 3.841459: center (1/3 + z²/12) / (1 + z²/6) =
        # 0.653455/1.640243 = 0.398389 half 1.959964/1.640243 · √((1/3·2/3)/6 + 3.841459/144) =
        # 1.194923 · √(0.037037 + 0.026677) = 0.301615
        rate = make_report([0.4, 0.4, 0.8, 0.8, 0.7, 0.7], degenerate=[0, 1]).degenerate_rate
        assert rate.value == pytest.approx(1 / 3)
        assert rate.ci95 == pytest.approx((0.398389 - 0.301615, 0.398389 + 0.301615), abs=1e-5)

    def test_wilson_interval_ends_at_zero_and_one(self) -> None:
        # 0 of n: z² / (n + z²)
        assert wilson_interval(0, 5) == pytest.approx((0.0, 3.841459 / 8.841459), abs=1e-6)
        assert wilson_interval(5, 5) == pytest.approx((5 / 8.841459, 1.0), abs=1e-6)
        assert wilson_interval(0, 0) is None

    def test_interval_of_a_standard_deviation(self) -> None:
        # 4 degrees of freedom: χ² quantiles 11.143 and 0.4844 (tables), √(4/11.143) = 0.599,
        # √(4/0.4844) = 2.874
        assert std_interval(1.0, 5, "r2") == pytest.approx((0.599, 2.874), abs=1e-3)

    def test_standard_error_is_half_of_wilsons_interval_over_its_quantile(self) -> None:
        # √(0.8 · 0.2 / 100 + 3.841459 / 40000) / (1 + 3.841459 / 100) = 0.0411831 / 1.0384146;
        # the binomial one is 0.04
        assert make_report([0.8, 0.8], rows=100).score_standard_error == pytest.approx(
            0.0396596, abs=1e-6
        )
        assert make_report([0.8, 0.8], rows=100, metric="mcc").score_standard_error is None

    def test_bootstrap_interval_is_fixed_and_within_the_scores(self) -> None:
        first, again = (make_report([0.7, 0.72, 0.75, 0.81, 0.9]).bootstrap_ci95 for _ in range(2))
        assert first is not None
        assert first == again
        assert 0.7 <= first[0] < 0.776 < first[1] <= 0.9

    def test_numpy_and_scipy_agree(self) -> None:
        import numpy as np
        from scipy import stats

        scores = [0.61, 0.644, 0.59, 0.702, 0.688, 0.655, 0.673]
        report = make_report(scores)
        assert report.std == pytest.approx(np.std(scores, ddof=1), rel=1e-12)
        assert [report.q1, report.median, report.q3] == pytest.approx(
            np.quantile(scores, [0.25, 0.5, 0.75]), rel=1e-12
        )
        expected = stats.t.interval(0.95, 6, loc=np.mean(scores), scale=stats.sem(scores))
        assert report.ci95 == pytest.approx(expected, rel=1e-9)


class TestWhatCounts:
    def test_n_counts_succeeded_runs_degenerate_ones_included(self) -> None:
        report = make_report(
            [0.8, 0.4, 0.9, 0.7, 0.6, None, None],
            degenerate=[1],
            status={2: "failed", 3: "cancelled", 4: "discarded", 5: "queued", 6: "running"},
        )
        assert (report.n, report.degenerate, report.failed, report.cancelled, report.discarded) == (
            2,
            1,
            1,
            1,
            1,
        )
        assert (report.planned, len(report.runs), report.provisional) == (7, 7, True)
        assert report.mean == pytest.approx(0.6)

    def test_a_flag_on_a_run_that_did_not_succeed_is_not_counted(self) -> None:
        assert make_report([0.8, 0.4], degenerate=[1], status={1: "failed"}).degenerate == 0

    def test_an_undefined_score_counts_in_n_but_not_in_the_mean(self) -> None:
        report = make_report([0.5, None, 0.7, math.nan], metric="pearson", degenerate=[1, 3])
        assert report.n == 4
        assert report.mean == pytest.approx(0.6)
        assert "undefined_scores" in list_warning_codes(report)
        assert [run.score for run in report.runs] == [0.5, None, 0.7, None]

    def test_wire_shape(self) -> None:
        body = json.loads(make_report([0.8, 0.7]).model_dump_json())
        assert body.keys() >= WIRE_FIELDS
        assert body["runs"][0].keys() >= RUN_FIELDS
        assert body["object"] == "fine_tuning.stability"
        assert body["degenerate_rate"].keys() == {"value", "ci95"}
        assert isinstance(body["ci95"], list)
        assert body["baselines"] == [{"name": "majority", "score": 0.4}]


class TestUndefined:
    def test_no_run_leaves_null_and_a_reason(self) -> None:
        report = make_report([])
        assert report.verdict.code == "no_result"
        for field in ("mean", "std", "min", "q1", "median", "q3", "max", "ci95", "bootstrap_ci95"):
            assert getattr(report, field) is None
        assert (report.degenerate_rate.value, report.degenerate_rate.ci95) == (None, None)
        assert "undefined_statistics" in list_warning_codes(report)

    def test_one_seed_has_no_spread(self) -> None:
        report = make_report([0.8])
        assert (report.mean, report.median, report.q1) == (0.8, 0.8, 0.8)
        assert (report.std, report.ci95, report.bootstrap_ci95) == (None, None, None)
        assert report.verdict.code == "not_enough_seeds"
        assert "undefined_statistics" in list_warning_codes(report)

    @settings(deadline=None)
    @given(runs)
    def test_never_nan_or_infinite(self, drawn: list[tuple[float | None, str, bool]]) -> None:
        json.loads(report_of(drawn).model_dump_json(), parse_constant=pytest.fail)

    @settings(deadline=None)
    @given(st.lists(finite, min_size=1, max_size=10), st.randoms(use_true_random=False))
    def test_order_of_the_runs_does_not_matter(self, scores: list[float], random: object) -> None:
        shuffled = list(scores)
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        ours, theirs = make_report(scores), make_report(shuffled)
        for field in (
            "mean",
            "std",
            "min",
            "q1",
            "median",
            "q3",
            "max",
            "ci95",
            "bootstrap_ci95",
            "verdict",
            "warnings",
        ):
            assert getattr(ours, field) == getattr(theirs, field)

    @settings(deadline=None)
    @given(st.lists(finite, min_size=2, max_size=10))
    def test_numbers_are_ordered(self, scores: list[float]) -> None:
        report = make_report(scores)
        order = [report.min, report.q1, report.median, report.q3, report.max]
        assert order == sorted(order)  # type: ignore[type-var]
        assert report.ci95 is not None
        assert report.bootstrap_ci95 is not None
        assert report.ci95[0] <= report.mean <= report.ci95[1]  # type: ignore[operator]
        assert report.min <= report.bootstrap_ci95[0] <= report.bootstrap_ci95[1] <= report.max  # type: ignore[operator]

    @settings(deadline=None)
    @given(finite, st.integers(2, 8))
    def test_equal_scores_have_a_spread_of_exactly_zero(self, score: float, seeds: int) -> None:
        report = make_report([score] * seeds)
        assert (report.mean, report.std) == (score, 0.0)
        assert "zero_spread" in list_warning_codes(report)
