"""The table of the scores that a job's choice of its published model compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.domain.publication import PublishedKind
from shared.domain.wording import format_count
from shared.report.page.section import JobSection
from shared.report.schemas import StabilityReport


@dataclass(frozen=True)
class ScoreEntry:
    """One job's cell: a score, and short notes on it."""

    score: float | None
    notes: list[str]


@dataclass(frozen=True)
class ScoreRow:
    name: str
    entries: list[ScoreEntry | None]
    """One per job; None where the job has no such score."""


def build_publishable_rows(jobs: Sequence[JobSection]) -> list[ScoreRow]:
    """Build the rows that any of the jobs has; empty if no job has more than its best run."""
    reports = [job.report for job in jobs]
    if not any(report.ensemble or report.average or report.distilled for report in reports):
        return []
    rows = [ScoreRow(name, [build(report) for report in reports]) for name, build in _ROWS.items()]
    return [row for row in rows if any(row.entries)]


def _build_mean_entry(report: StabilityReport) -> ScoreEntry | None:
    if report.mean is None:
        return None
    average = report.average
    notes = [] if average is None else [f"averages of {average.checkpoints:.2g} checkpoints"]
    return ScoreEntry(report.mean, notes)


def _build_checkpoint_entry(report: StabilityReport) -> ScoreEntry | None:
    average = report.average
    if average is None:
        return None
    return ScoreEntry(average.best_checkpoint_score, ["not averaged"])


def _build_best_entry(report: StabilityReport) -> ScoreEntry | None:
    if report.best_run_id is None:
        return None
    return ScoreEntry(report.best_run_score, _mark_published(report, "best_run"))


def _build_ensemble_entry(report: StabilityReport) -> ScoreEntry | None:
    ensemble = report.ensemble
    if ensemble is None:
        return None
    notes = [format_count(ensemble.members, "run"), *_mark_published(report, "ensemble")]
    return ScoreEntry(ensemble.score, notes)


def _build_distilled_entry(report: StabilityReport) -> ScoreEntry | None:
    distilled = report.distilled
    if distilled is None:
        return None
    notes = [f"from {format_count(len(distilled.teachers), 'run')}"]
    if distilled.unlabelled_texts is not None:
        notes.append(f"on {format_count(distilled.unlabelled_texts, 'unlabelled text')} as well")
    return ScoreEntry(distilled.score, notes + _mark_published(report, "distilled"))


def _mark_published(report: StabilityReport, kind: PublishedKind) -> list[str]:
    return ["published"] if report.published is not None and report.published.kind == kind else []


_ROWS: dict[str, Callable[[StabilityReport], ScoreEntry | None]] = {
    "mean of the runs": _build_mean_entry,
    "mean of the runs' best checkpoints": _build_checkpoint_entry,
    "best run by validation": _build_best_entry,
    "ensemble of the sound runs (mean of their predictions)": _build_ensemble_entry,
    "one model distilled from the ensemble": _build_distilled_entry,
}
