"""The ensemble and the published model in a report."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from cli.tables import format_report
from shared.db.tables import Job, Run
from shared.domain.publication import DistilledResult, EnsembleResult, Publication
from shared.report.averages import summarize_averages
from shared.report.details import AverageScores
from shared.report.page import JobSection, render_report
from shared.report.schemas import RunResult
from tests.rows import RECIPE, job_values
from tests.shared.reports import list_warning_codes, make_report
from worker.jobs.model_card import render_model_card

SCORES = [0.70, 0.80, 0.75]
ENSEMBLE = EnsembleResult(
    run_ids=["ftrun-0", "ftrun-1", "ftrun-2"],
    validation={"accuracy": 0.78, "mcc": 0.5},
    test={"accuracy": 0.77},
    disagreement={"validation": 0.125, "test": 0.25},
)


def test_the_ensemble_is_scored_on_the_rows_of_the_report() -> None:
    publication = Publication(kind="ensemble", reason="Why.", ensemble=ENSEMBLE)
    report = make_report(SCORES, publication=publication, best_run_id="ftrun-1")
    assert report.best_run_score == 0.80
    assert report.ensemble is not None
    assert report.ensemble.model_dump() == {
        "members": 3,
        "run_ids": ENSEMBLE.run_ids,
        "score": 0.78,
        "validation_score": 0.78,
        "test_score": 0.77,
        "disagreement": 0.125,
    }
    assert report.published is not None
    assert report.published.model_dump() == {"kind": "ensemble", "score": 0.78, "reason": "Why."}
    assert report.verdict.text.endswith(
        " The published model is the ensemble of 3 runs: accuracy 0.780 on the validation rows, "
        "where the best run has 0.800."
    )
    [same_rows] = [one for one in report.warnings if one.code == "checkpoint_chosen_on_same_rows"]
    assert "that of their ensemble included" in same_rows.message
    on_test = make_report(SCORES, publication=publication, split="test").ensemble
    assert on_test is not None
    assert (on_test.score, on_test.disagreement) == (0.77, 0.25)


def test_another_metric_is_that_of_the_same_predictions() -> None:
    publication = Publication(kind="ensemble", ensemble=ENSEMBLE)
    report = make_report(SCORES, publication=publication, metric="mcc")
    assert report.ensemble is not None
    assert (report.ensemble.score, report.ensemble.test_score) == (0.5, None)


def test_the_best_run_is_published_with_its_own_score() -> None:
    publication = Publication(kind="best_run", ensemble=ENSEMBLE)
    report = make_report(SCORES, publication=publication, best_run_id="ftrun-1")
    assert report.published is not None
    assert (report.published.kind, report.published.score) == ("best_run", 0.80)
    assert "ensemble" not in report.verdict.text
    assert "ensemble_not_published" not in list_warning_codes(report)


def test_an_ensemble_that_could_not_be_kept_is_a_caution() -> None:
    publication = Publication(kind="best_run", denied=True, reason="No space.", ensemble=ENSEMBLE)
    report = make_report(SCORES, publication=publication)
    [caution] = [one for one in report.warnings if one.code == "ensemble_not_published"]
    assert caution.message == "The best run is published instead of the ensemble. No space."


@pytest.mark.parametrize(("model", "kind"), [("ft:m", "best_run"), (None, None)])
def test_older_jobs_have_no_ensemble(model: str | None, kind: str | None) -> None:
    report = make_report(SCORES, best_run_id="ftrun-1", fine_tuned_model=model)
    assert report.ensemble is None
    assert (report.published.kind if report.published else None) == kind
    assert not any("ensemble" in warning.message for warning in report.warnings)


def test_page_terminal_and_card_show_what_is_published() -> None:
    publication = Publication(kind="ensemble", reason="Why so.", ensemble=ENSEMBLE)
    report = make_report(SCORES, publication=publication, best_run_id="ftrun-1")
    page = render_report([JobSection("one", report, RECIPE.model_dump(), {}, ())])
    assert "one: the ensemble is published. Why so." in page
    assert '0.780 <span class="aside">3 runs, published</span>' in page
    assert '<th scope="row">best run by validation</th><td>0.800</td>' in page
    terminal = Console(file=io.StringIO(), width=200)
    terminal.print(format_report(report))
    assert isinstance(terminal.file, io.StringIO)
    text = terminal.file.getvalue()
    assert "0.7800 (3 runs, two of them disagree on 12% of the rows, published)" in text
    card = render_model_card(
        "ft:m", Job(**job_values()), report, Run(init_seed=1, data_seed=1, environment=None)
    )
    assert "This folder has accuracy 0.8000 on the validation rows." in card
    assert "with the ensemble of 3 runs, which has accuracy 0.7800 on the validation rows" in card
    assert "| rows on which two runs disagree | 12.5% |" in card


def make_averaged_run(index: int, score: float, alone: float | None) -> RunResult:
    return RunResult(
        run_id=f"ftrun-{index}",
        seed=index,
        init_seed=index,
        data_seed=index,
        status="succeeded",
        degenerate=False,
        score=score,
        validation_score=score,
        test_score=None,
        averaged_checkpoints=index + 1,
        best_checkpoint_score=alone,
    )


def test_averaged_runs_are_compared_with_their_best_checkpoints() -> None:
    runs = [make_averaged_run(0, 0.8, 0.8), make_averaged_run(1, 0.7, 0.6)]
    average = summarize_averages(runs)
    assert average is not None
    assert average.model_dump() == {
        "runs": 2,
        "checkpoints": 1.5,
        "score": pytest.approx(0.75),
        "best_checkpoint_score": pytest.approx(0.7),
    }
    undefined = summarize_averages([*runs, make_averaged_run(2, 0.9, None)])
    assert undefined is not None
    assert undefined.best_checkpoint_score is None
    assert summarize_averages([replace(runs[0], averaged_checkpoints=None)]) is None


def test_page_and_terminal_show_averages_beside_the_best_checkpoints() -> None:
    publication = Publication(kind="best_run", ensemble=ENSEMBLE)
    average = AverageScores(runs=3, checkpoints=2.5, score=0.75, best_checkpoint_score=0.725)
    report = make_report(SCORES, publication=publication, best_run_id="ftrun-1").model_copy(
        update={"average": average}
    )
    page = render_report([JobSection("one", report, RECIPE.model_dump(), {}, ())])
    for text in (
        '0.750 <span class="aside">averages of 2.5 checkpoints</span>',
        '0.725 <span class="aside">not averaged</span>',
        '0.800 <span class="aside">published</span>',
    ):
        assert text in page
    terminal = Console(file=io.StringIO(), width=200)
    terminal.print(format_report(report))
    assert isinstance(terminal.file, io.StringIO)
    assert "0.7250 (averages of 2.5 checkpoints above)" in terminal.file.getvalue()


DISTILLED = DistilledResult(
    run_id="ftrun-9",
    teachers=["ftrun-0", "ftrun-1"],
    validation={"accuracy": 0.79},
    test={"accuracy": 0.76},
)


def test_a_distilled_model_is_reported_beside_the_others() -> None:
    publication = Publication(kind="distilled", ensemble=ENSEMBLE, distilled=DISTILLED)
    report = make_report(SCORES, publication=publication, best_run_id="ftrun-1", split="test")
    assert report.distilled is not None
    assert (report.distilled.score, report.distilled.validation_score) == (0.76, 0.79)
    assert report.published is not None
    assert (report.published.kind, report.published.score) == ("distilled", 0.76)
    assert "The published model is distilled from 2 runs: accuracy 0.760" in report.verdict.text
    page = render_report([JobSection("one", report, RECIPE.model_dump(), {}, ())])
    assert '0.760 <span class="aside">from 2 runs, published</span>' in page
    terminal = Console(file=io.StringIO(), width=200)
    terminal.print(format_report(report))
    assert isinstance(terminal.file, io.StringIO)
    assert "0.7600 (from 2 runs, published)" in terminal.file.getvalue()
    run = Run(init_seed=1, data_seed=1, environment=None)
    card = render_model_card("ft:m", Job(**job_values()), report, run)
    assert "It learned the mean predictions of 2 runs" in card
    assert "This folder has accuracy 0.7600 on the test rows." in card
    assert "**this model**" not in card


def test_a_distilled_model_that_is_missing_is_a_caution() -> None:
    publication = Publication(
        kind="best_run", denied=True, wanted="distilled", reason="Why.", ensemble=ENSEMBLE
    )
    report = make_report(SCORES, publication=publication)
    [caution] = [one for one in report.warnings if one.code == "distilled_not_published"]
    assert caution.message == "The best run is published instead of a distilled model. Why."
