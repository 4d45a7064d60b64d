"""The report's verdict against what the seeds can carry."""

import pytest

from shared.report import STABLE_STD
from shared.report.schemas import LeakedRows
from tests.shared.reports import list_warning_codes, make_report


class TestVerdict:
    @pytest.mark.parametrize(
        ("scores", "settings", "code"),
        [
            ([], {}, "no_result"),
            ([None, None], {"status": {0: "failed", 1: "failed"}}, "no_result"),
            ([None, None], {"metric": "pearson"}, "no_result"),
            ([0.8, None], {"status": {1: "running"}}, "provisional"),
            ([None, None], {"status": {0: "queued", 1: "queued"}}, "provisional"),
            ([0.4] * 6, {"degenerate": range(6)}, "all_degenerate"),
            ([None] * 3, {"degenerate": range(3), "metric": "pearson"}, "all_degenerate"),
            ([0.4, 0.8, 0.8, 0.8, 0.8, 0.8], {"degenerate": [0]}, "some_degenerate"),
            ([0.8], {}, "not_enough_seeds"),
            ([0.8, 0.8, 0.8, 0.8], {}, "not_enough_seeds"),
            ([0.60, 0.70, 0.75, 0.80, 0.90], {}, "unstable"),
            ([0.80, 0.81, 0.79, 0.82, 0.80], {}, "stable"),
            ([0.80, 0.81, 0.79, 0.82, 0.80, None], {"status": {5: "failed"}}, "some_failed"),
            ([0.39, 0.40, 0.38, 0.39, 0.40], {}, "not_better_than_baseline"),
            ([0.41, 0.42, 0.39, 0.40, 0.41], {}, "not_better_than_baseline"),
        ],
    )
    def test_code(self, scores: list[float | None], settings: dict[str, object], code: str) -> None:
        assert make_report(scores, **settings).verdict.code == code

    def test_equal_scores_of_degenerate_runs_do_not_show_stability(self) -> None:
        text = make_report([0.4] * 6, degenerate=range(6)).verdict.text
        assert "All 6 runs are degenerate" in text
        assert "do not show stability" in text

    def test_says_how_many_of_how_many(self) -> None:
        text = make_report([0.4, 0.4, 0.4, 0.4, 0.4, 0.8], degenerate=range(5)).verdict.text
        assert "5 of 6 runs are degenerate" in text

    def test_stable_names_its_limit_and_what_it_cannot_exclude(self) -> None:
        # 0 of 5 degenerate: up to 43% (3.841 / 8.841)
        text = make_report([0.80, 0.81, 0.79, 0.82, 0.80]).verdict.text
        assert f"{STABLE_STD:.3f}" in text
        assert "Up to 43%" in text

    def test_missing_runs_are_named(self) -> None:
        text = make_report(
            [0.8, 0.81, 0.8, 0.8, 0.81, None, None], status={5: "failed", 6: "failed"}
        ).verdict.text
        assert "2 runs failed and are missing" in text

    def test_a_mean_near_the_baseline_is_mentioned(self) -> None:
        report = make_report([0.41, 0.42, 0.39, 0.40, 0.41])
        assert report.mean == pytest.approx(0.406)
        assert "not shown to be better than the majority baseline (0.400)" in report.verdict.text

    def test_provisional_until_the_last_run_ends(self) -> None:
        open_runs = make_report([0.8, 0.8, None], status={2: "paused"})
        assert (open_runs.provisional, open_runs.verdict.code) == (True, "provisional")
        assert "runs_open" in list_warning_codes(open_runs)
        assert make_report([0.8, 0.8, None], status={2: "cancelled"}).provisional is False


class TestLeakage:
    SCORES = (1.0, 1.0, 1.0, 0.99, 1.0)

    @pytest.mark.parametrize(("rows", "total"), [(62, 62), (8, 80), (1, 1)])
    def test_leaked_rows_are_named_before_the_scores(self, rows: int, total: int) -> None:
        verdict = make_report(self.SCORES, leak=LeakedRows(rows, total)).verdict
        assert verdict.code == "leakage"
        assert verdict.text.index("the text of a training row") < verdict.text.index("0.998")

    def test_one_copy_among_many_rows_does_not_turn_the_verdict(self) -> None:
        kept, leaked = make_report(self.SCORES), make_report(self.SCORES, leak=LeakedRows(7, 80))
        assert kept.verdict == leaked.verdict
        assert kept.verdict.code == "stable"

    def test_equal_scores_on_few_leaked_rows_are_leakage_first(self) -> None:
        verdict = make_report([1.0] * 5, rows=8, leak=LeakedRows(8, 8)).verdict
        assert verdict.code == "leakage"
        assert verdict.text.startswith("All 8 validation rows have")

    def test_runs_that_learned_nothing_stay_the_first_thing_to_know(self) -> None:
        settings = {"degenerate": range(5), "leak": LeakedRows(80, 80)}
        verdict = make_report([0.4] * 5, **settings).verdict
        assert verdict.code == "all_degenerate"
        assert verdict.text.startswith("All 80 validation rows have")
