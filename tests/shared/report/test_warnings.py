"""The report's warnings: when each is given, and its numbers."""

import pytest

from tests.shared.reports import list_warning_codes, make_report


class TestWarnings:
    def test_validation_rows_chose_the_checkpoint_test_rows_did_not(self) -> None:
        assert "checkpoint_chosen_on_same_rows" in list_warning_codes(make_report([0.8, 0.7]))
        assert "checkpoint_chosen_on_same_rows" not in list_warning_codes(
            make_report([0.8, 0.7], split="test")
        )

    @pytest.mark.parametrize(("rows", "warned"), [(80, True), (10_000, False), (None, False)])
    def test_few_rows(self, rows: int | None, warned: bool) -> None:
        for metric in ("accuracy", "mcc"):
            assert (
                "small_evaluation_set"
                in list_warning_codes(make_report([0.8, 0.7], rows=rows, metric=metric))
            ) is warned

    def test_the_best_of_n_is_above_the_mean(self) -> None:
        report = make_report([0.8, 0.7, 0.6], best_run_id="ftrun-0")
        message = next(
            warning.message for warning in report.warnings if warning.code == "selection_effect"
        )
        assert "0.800 is the highest of 3" in message
        assert "0.100 above their mean" in message

    @pytest.mark.parametrize("status", ["failed", "cancelled", "discarded"])
    def test_a_run_without_a_score_is_named(self, status: str) -> None:
        report = make_report([0.8, 0.7, None], status={2: status})
        assert f"{status}_runs" in list_warning_codes(report)
        assert any(warning.message.startswith("1 of 3 runs") for warning in report.warnings)
