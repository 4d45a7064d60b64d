"""Cells of the terminal's report: the scores of what a job can publish and has published."""

from cli.number_format import format_number
from shared.domain.wording import format_count
from shared.report import StabilityReport
from shared.report.formatting import format_percent


def format_best_run(report: StabilityReport) -> str:
    is_published = report.published is not None and report.published.kind == "best_run"
    return format_number(report.best_run_score) + (" (published)" if is_published else "")


def format_ensemble(report: StabilityReport) -> str:
    """Format the ensemble's score, its size and how often two of its runs disagree."""
    ensemble, published = report.ensemble, report.published
    if ensemble is None:
        return "-"
    notes = [format_count(ensemble.members, "run")]
    if ensemble.disagreement is not None:
        notes.append(f"two of them disagree on {format_percent(ensemble.disagreement)} of the rows")
    if published is not None and published.kind == "ensemble":
        notes.append("published")
    return f"{format_number(ensemble.score)} ({', '.join(notes)})"


def format_average(report: StabilityReport) -> str:
    """Format the runs' best checkpoints alone, and how many checkpoints each run averages."""
    average = report.average
    if average is None:
        return "-"
    score = format_number(average.best_checkpoint_score)
    return f"{score} (averages of {average.checkpoints:.2g} checkpoints above)"


def format_distilled(report: StabilityReport) -> str:
    """Format the distilled model's score and the number of its teachers."""
    distilled, published = report.distilled, report.published
    if distilled is None:
        return "-"
    notes = [f"from {format_count(len(distilled.teachers), 'run')}"]
    if published is not None and published.kind == "distilled":
        notes.append("published")
    return f"{format_number(distilled.score)} ({', '.join(notes)})"
