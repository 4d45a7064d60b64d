"""Jobs and reports as text for a terminal. An undefined number is shown as a dash."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import Job
from shared.domain.states import RunState
from shared.report import ReportedRun, StabilityReport
from shared.report.formatting import format_baseline_title, format_seeds

PLAIN_WIDTH: Final = 200  # columns when not writing to a terminal, to keep sentences on one line
JOB_COLUMNS: Final = (
    "job",
    "created (UTC)",
    "status",
    "model",
    "preset",
    "runs",
    "done",
    "fine-tuned model",
)


def make_console(*, stderr: bool = False) -> Console:
    """Create a console as wide as the terminal, or PLAIN_WIDTH if it is not a terminal."""
    console = Console(stderr=stderr, highlight=False)
    if console.is_terminal:
        return console
    return Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def format_count(amount: int, noun: str) -> str:
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def format_interval(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def build_jobs_table(jobs: Sequence[Job]) -> Table:
    table = Table(*JOB_COLUMNS, box=None)
    for job in jobs:
        created = datetime.fromtimestamp(job.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        summary = job.runs_summary
        table.add_row(
            job.id,
            created,
            job.status.value,
            escape(job.model),
            job.preset,
            f"{summary.succeeded}/{summary.total}",
            f"{job.progress.percent:.0f}%",
            escape(job.fine_tuned_model or "-"),
        )
    return table


def format_job(job: Job) -> RenderableType:
    """Format a job's state, settings, pilots, error and warnings."""
    lines = [_format_job_state(job)]
    if job.resolved_recipe is not None:
        lines.append(format_recipe_summary(job.model, job.resolved_recipe))
    if job.pilots is not None:
        settings = " and ".join(job.pilots.automatic)
        searching = f"{job.model}, recipe {job.preset}: pilots choose {settings} first"
        lines.append(job.pilot_reason or searching)
    lines += [f"Failed: {job.error.message}"] if job.error is not None else []
    lines += [f"Warning: {warning.message}" for warning in job.warnings]
    return Group(*map(escape, lines))


def format_report(report: StabilityReport) -> RenderableType:
    """Format every seed, the distribution, the verdict, the diagnosis and the warnings."""
    parts: list[RenderableType] = [
        _build_runs_table(report),
        "",
        _build_distribution_table([("", report)]),
        "",
    ]
    parts.append(escape(report.verdict.text))
    parts += [escape(f"Diagnosis: {sentence}") for sentence in report.diagnosis]
    parts += [escape(f"Warning: {warning.message}") for warning in report.warnings]
    if report.fine_tuned_model is not None:
        parts.append(f"Model: [bold]{escape(report.fine_tuned_model)}[/bold]")
    return Group(*parts)


def format_reports_side_by_side(reports: Sequence[tuple[str, StabilityReport]]) -> RenderableType:
    """Format several jobs' seeds and distributions, one column per job."""
    by_seed = [{_format_run_seeds(run): run for run in report.runs} for _, report in reports]
    seeds = dict.fromkeys(seed for runs in by_seed for seed in runs)
    table = Table("seed", *(f"{name}: {report.metric}" for name, report in reports), box=None)
    for seed in seeds:
        cells = [
            _format_run_score(run.score, run.status, run.degenerate)
            if (run := runs.get(seed))
            else "-"
            for runs in by_seed
        ]
        table.add_row(seed, *cells)
    return Group(table, "", _build_distribution_table(reports))


def format_recipe_summary(model: str, recipe: dict[str, Any]) -> str:
    """Format the most important settings of a resolved recipe."""
    return (
        f"{model}, recipe {recipe.get('preset', 'stabilized')}: {recipe['max_steps']} steps per "
        f"run, batch size {recipe['train_batch_size']}, learning rate "
        f"{recipe['learning_rate']:g}, re-initialized top blocks: {recipe['reinit_layers']}, "
        f"{recipe.get('precision', 'float32')}"
    )


def _format_job_state(job: Job) -> str:
    state = (
        f"{job.id}: {job.status.value}, {job.progress.percent:.0f}% of "
        f"{job.progress.steps_total} steps"
    )
    if job.finished_at is not None:
        return f"{state}, after {format_duration(job.finished_at - job.created_at)}"
    if job.progress.seconds_remaining:
        return f"{state}, about {format_duration(job.progress.seconds_remaining)} left"
    return state


def format_duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


DISTRIBUTION_ROWS: Final[dict[str, Callable[[StabilityReport], str]]] = {
    "runs": lambda r: f"{r.n} of {r.planned} succeeded" + (" (so far)" if r.provisional else ""),
    "mean ± std": lambda r: f"{format_number(r.mean)} ± {format_number(r.std)}",
    "95% interval of the mean": lambda r: format_interval(r.ci95),
    "min, quartiles, max": lambda r: " ".join(
        map(format_number, (r.min, r.q1, r.median, r.q3, r.max))
    ),
    "degenerate, failed": lambda r: (
        f"{r.degenerate}, {r.failed}" + (f", {r.discarded} discarded" if r.discarded else "")
    ),
}
"""Title of each line of the distribution, and how it is computed from a report."""


def _build_runs_table(report: StabilityReport) -> Table:
    table = Table("seed", "state", f"{report.metric} ({report.split})", "validation", "", box=None)
    for run in report.runs:
        notes = ["degenerate"] if run.degenerate else []
        notes += (
            ["published"] if run.run_id == report.best_run_id and report.fine_tuned_model else []
        )
        table.add_row(
            _format_run_seeds(run),
            run.status.value,
            format_number(run.score),
            format_number(run.validation_score),
            ", ".join(notes),
        )
    return table


def _build_distribution_table(reports: Sequence[tuple[str, StabilityReport]]) -> Table:
    table = Table("", *(name for name, _ in reports), box=None, show_header=len(reports) > 1)
    rows = dict(DISTRIBUTION_ROWS)
    for name in dict.fromkeys(one.name for _, report in reports for one in report.baselines):
        rows[escape(format_baseline_title(name))] = partial(_format_baseline_score, name)
    for title, cell in rows.items():
        table.add_row(title, *(cell(report) for _, report in reports))
    return table


def _format_run_seeds(run: ReportedRun) -> str:
    return format_seeds(run.init_seed, run.data_seed, run.fold)


def _format_baseline_score(name: str, report: StabilityReport) -> str:
    return format_number(next((one.score for one in report.baselines if one.name == name), None))


def _format_run_score(score: float | None, status: RunState, degenerate: bool | None) -> str:
    if status is not RunState.SUCCEEDED:
        return status.value
    return f"{format_number(score)} degenerate" if degenerate else format_number(score)
