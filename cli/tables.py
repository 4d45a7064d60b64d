"""Jobs and reports as text for a terminal. An undefined number is shown as a dash."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.api_models import ApiWarning, Job
from cli.console import OutputConsole
from cli.number_format import format_number as format_number
from cli.published_scores import (
    format_average,
    format_best_run,
    format_distilled,
    format_ensemble,
)
from cli.rows import Column, Kind, RowTable
from cli.times import format_time
from shared.domain.states import RunState
from shared.domain.wording import format_count, join_words
from shared.report import Caution, ReportedRun, StabilityReport
from shared.report.cautions import list_high_cautions
from shared.report.comparison import ComparedJob
from shared.report.formatting import (
    format_baseline_title,
    format_seeds,
    format_spread,
)
from shared.report.missing_score import explain_missing_score

PLAIN_WIDTH: Final = 10_000  # columns when not writing to a terminal: one line per sentence and row
JOB_COLUMNS: Final = (
    Column("job", Kind.ID),
    Column("created"),
    Column("status"),
    Column("model"),
    Column("preset"),
    Column("runs"),
    Column("done"),
    Column("fine-tuned model", Kind.ID),
)


def make_console(*, stderr: bool = False) -> OutputConsole:
    """Create a console as wide as the terminal, or PLAIN_WIDTH if it is not a terminal."""
    console = OutputConsole(stderr=stderr)
    return console if console.is_terminal else OutputConsole(stderr=stderr, width=PLAIN_WIDTH)


def format_interval(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def format_mean(result: StabilityReport | ComparedJob) -> str:
    """Format mean and standard deviation, or that all scores are equal, or that there is none."""
    if result.mean is None:
        return "no score"
    mean = format_number(result.mean)
    if result.std is None:
        return f"{mean} (one score, no spread)"
    return f"{mean} (equal scores)" if result.equal_scores else f"{mean} ± {format_std(result.std)}"


def format_std(value: float | None) -> str:
    return "-" if value is None else format_spread(value, decimals=4)


def _format_mean_with_bound(report: StabilityReport) -> str:
    """Format mean and standard deviation; of equal scores, the one that they do not exclude;
    without scores, the reason.
    """
    if report.mean is None:
        return f"no score: {explain_missing_score(report)}"
    text, equal = format_mean(report), report.equal_scores
    if equal is None or equal.std is None:
        return text
    return f"{text.removesuffix(')')}; std {format_std(equal.std)} not excluded)"


def build_jobs_table(jobs: Sequence[Job]) -> RowTable:
    table = RowTable(*JOB_COLUMNS)
    for job in jobs:
        summary = job.runs_summary
        table.add_row(
            job.id,
            format_time(job.created_at),
            job.status.value,
            job.model,
            job.preset,
            f"{summary.succeeded}/{summary.total}",
            f"{job.progress.percent:.0f}%",
            job.fine_tuned_model or "-",
        )
    return table


def format_job(job: Job) -> RenderableType:
    """Format a job's state, settings, pilots and error."""
    lines = [_format_job_state(job)]
    if job.resolved_recipe is not None:
        lines.append(format_recipe_summary(job.model, job.resolved_recipe))
    if job.pilots is not None:
        settings = join_words(job.pilots.automatic)
        searching = f"{job.model}, recipe {job.preset}: pilots choose {settings} first"
        lines.append(job.pilot_reason or searching)
    lines += [f"Failed: {job.error.message}"] if job.error is not None else []
    return Group(*map(escape, lines))


def format_cautions(cautions: Sequence[ApiWarning | Caution]) -> RenderableType:
    """Format cautions, one per line, with their codes."""
    return Group(*(escape(f"Warning ({one.code}): {one.message}") for one in cautions))


def format_report(report: StabilityReport) -> RenderableType:
    """Format every seed, the distribution, the verdict, the diagnosis and the cautions, those
    first that question the scores.
    """
    high = list_high_cautions(report.warnings)
    parts: list[RenderableType] = [
        *([format_cautions(high), ""] if high else []),
        _build_runs_table(report),
        "",
        _build_distribution_table([("", report)]),
        "",
    ]
    parts.append(escape(report.verdict.text))
    parts += [escape(f"Diagnosis: {sentence}") for sentence in report.diagnosis]
    parts.append(format_cautions([one for one in report.warnings if one not in high]))
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
        f"{model}, recipe {recipe.get('preset', 'stabilized')}: "
        f"{format_count(recipe['max_steps'], 'step')} per run, batch size "
        f"{recipe['train_batch_size']}, learning rate "
        f"{recipe['learning_rate']:g}, re-initialized top blocks: {recipe['reinit_layers']}, "
        f"{recipe.get('precision', 'float32')}"
    )


def _format_job_state(job: Job) -> str:
    state = (
        f"{job.id}: {job.status.value}, {job.progress.percent:.0f}% of "
        f"{format_count(job.progress.steps_total, 'step')}"
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


def _name_best_run(report: StabilityReport) -> str:
    """Say that the best run is published, or else that it is the best run."""
    is_published = report.published is None or report.published.kind == "best_run"
    return "published" if is_published else "best"


ROW_INTERVAL: Final = "95% interval from the rows"
BEST_RUN: Final = "best run"
ENSEMBLE: Final = "ensemble"
DISTILLED: Final = "distilled model"
BEST_CHECKPOINTS: Final = "mean, best checkpoints"
DISTRIBUTION_ROWS: Final[dict[str, Callable[[StabilityReport], str]]] = {
    "runs": lambda r: f"{r.n} of {r.planned} succeeded" + (" (so far)" if r.provisional else ""),
    "mean ± std": _format_mean_with_bound,
    "95% interval of the mean": lambda r: format_interval(None if r.equal_scores else r.ci95),
    ROW_INTERVAL: lambda r: format_interval(r.rows_ci95),
    "min, quartiles, max": lambda r: (
        "no score"
        if r.mean is None
        else " ".join(map(format_number, (r.min, r.q1, r.median, r.q3, r.max)))
    ),
    BEST_CHECKPOINTS: format_average,
    BEST_RUN: format_best_run,
    ENSEMBLE: format_ensemble,
    DISTILLED: format_distilled,
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
            [_name_best_run(report)]
            if run.run_id == report.best_run_id and report.fine_tuned_model
            else []
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
    if all(report.rows_ci95 is None for _, report in reports):
        del rows[ROW_INTERVAL]
    if all(report.ensemble is None for _, report in reports):
        del rows[BEST_RUN], rows[ENSEMBLE]
    if all(report.distilled is None for _, report in reports):
        del rows[DISTILLED]
    if all(report.average is None for _, report in reports):
        del rows[BEST_CHECKPOINTS]
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
