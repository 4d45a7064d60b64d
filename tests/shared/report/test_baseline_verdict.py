"""The verdict against baselines, and on regression and on folds."""

from dataclasses import replace
from typing import ClassVar

import pytest

from shared.report import Baseline, build_stability_report
from tests.shared.reports import make_report, make_results


class TestBaselines:
    def verdict(self, scores: list[float | None], **baselines: float | None) -> tuple[str, str]:
        results = make_results(scores, majority=0.4)
        more = tuple(Baseline(name=name, score=score) for name, score in baselines.items())
        found = build_stability_report(replace(results, baselines=results.baselines + more)).verdict
        return found.code, found.text

    SCORES: ClassVar[list[float | None]] = [0.80, 0.81, 0.79, 0.82, 0.80]

    def test_a_linear_model_that_is_better_is_named(self) -> None:
        code, text = self.verdict(self.SCORES, tfidf_logistic_regression=0.83, linear_probe=0.70)
        assert code == "not_better_than_baseline"
        assert "Not better than TF-IDF with logistic regression (0.830) on the same rows" in text
        assert "Fine-tuning does not pay off here" in text
        assert "probe" not in text

    def test_all_that_are_better_are_named_the_best_first(self) -> None:
        _, text = self.verdict(self.SCORES, tfidf_logistic_regression=0.83, linear_probe=0.85)
        assert (
            "a linear probe of the frozen encoder (0.850) and TF-IDF with logistic "
            "regression (0.830)"
        ) in text

    def test_an_interval_that_reaches_down_to_the_best(self) -> None:
        code, text = self.verdict(self.SCORES, linear_probe=0.80)
        assert code == "not_better_than_baseline"
        assert "not shown to be better than a linear probe of the frozen encoder (0.800)" in text

    @pytest.mark.parametrize("score", [0.6, None])
    def test_one_that_is_worse_or_undefined_is_not_mentioned(self, score: float | None) -> None:
        code, text = self.verdict(self.SCORES, linear_probe=score)
        assert code == "stable"
        assert "probe" not in text

    def test_degenerate_seeds_come_before_baselines(self) -> None:
        results = make_results([0.4, 0.8, 0.8, 0.8, 0.8], degenerate=[0])
        found = build_stability_report(
            replace(results, baselines=(Baseline(name="linear_probe", score=0.9),))
        ).verdict
        assert found.code == "some_degenerate"
        assert "The mean is not above a linear probe of the frozen encoder (0.900)." in found.text


def test_degenerate_seeds_of_a_regression_are_described_by_correlation() -> None:
    report = make_report(
        [None, None, 0.8, 0.82], degenerate=[0, 1], metric="pearson", regression=True
    )
    assert (
        "predictions and labels do not correlate, or pearson is not above 0" in report.verdict.text
    )
    # (1 - 0.81²)/√80
    message = next(
        warning.message for warning in report.warnings if warning.code == "small_evaluation_set"
    )
    assert "A mean pearson of 0.810 has a standard error of about 0.038" in message
    assert report.score_standard_error is None


def test_folds_are_dependent_measurements() -> None:
    results = make_results([0.8, 0.81, 0.79, 0.8])
    runs = tuple(replace(run, fold=index % 2) for index, run in enumerate(results.runs))
    report = build_stability_report(replace(results, runs=runs))
    assert "dependent_folds" in {warning.code for warning in report.warnings}
    assert [run.fold for run in report.runs] == [0, 1, 0, 1]


@pytest.mark.parametrize("scores", [[0.8, 0.81, 0.79, 0.8], [0.8] * 6, [0.8, 0.81, 0.79, 0.8] * 2])
def test_the_runs_of_folds_are_not_called_seeds(scores: list[float]) -> None:
    """Two seeds on two folds are four runs."""
    results = make_results(scores)
    runs = tuple(replace(run, fold=index % 2) for index, run in enumerate(results.runs))
    in_folds = build_stability_report(replace(results, runs=runs)).verdict.text
    assert f"{len(scores)} runs" in in_folds
    assert f"{len(scores)} seeds" not in in_folds
    assert f"{len(scores)} seeds" in build_stability_report(results).verdict.text
