"""``evenkeel compare``: tests of whether one job is better than another."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape

from cli.api_models import Comparison
from cli.client import Client
from cli.console import OutputConsole
from cli.output_files import write_output
from cli.rows import Column, Kind, RowTable
from cli.tables import (
    format_cautions,
    format_interval,
    format_mean,
    format_number,
    make_console,
)
from cli.train import get_exit_code
from shared.report.cautions import list_high_cautions
from shared.report.comparison import ComparedJob, HypothesisTest, Pair
from shared.report.comparison.notes import TEST_NAMES


def compare_jobs(
    client: Client,
    job_ids: Sequence[str],
    *,
    metric: str | None,
    alpha: float,
    html: Path | None,
    as_json: bool,
) -> int:
    """Print the comparison and, if ``html`` is given, write the reports side by side.

    Returns the exit code.
    """
    comparison = client.compare_jobs(job_ids, metric, alpha)
    jobs = [client.get_job(job_id) for job_id in job_ids]
    if as_json:
        OutputConsole().print_value(comparison.model_dump_json())
    else:
        make_console().print(format_comparison(comparison))
    if html is not None:
        write_output(html, [client.download_comparison(comparison.id, "html")])
        make_console(stderr=as_json).print(f"Wrote {html}", markup=False, soft_wrap=True)
    return max(map(get_exit_code, jobs))


def format_comparison(comparison: Comparison) -> RenderableType:
    """Format the jobs, named by letters, and each pair with its tests and verdict."""
    letters = {job.job_id: chr(ord("A") + index) for index, job in enumerate(comparison.jobs)}
    high = list_high_cautions(comparison.warnings)
    parts: list[RenderableType] = [
        *([format_cautions(high), ""] if high else []),
        _build_jobs_table(comparison.jobs, letters, comparison.metric),
    ]
    for pair in comparison.pairs:
        title = f"[bold]{letters[pair.b]} against {letters[pair.a]}[/bold]"
        parts += ["", title, _build_pair_table(pair), escape(pair.verdict.text)]
    parts += ["", format_cautions([one for one in comparison.warnings if one not in high])]
    scope = f"{comparison.metric} on {comparison.split}, alpha {comparison.alpha:g}"
    parts += ["", escape(f"{scope}; stored as {comparison.id}")]
    return Group(*parts)


def _build_jobs_table(
    jobs: Sequence[ComparedJob], letters: dict[str, str], metric: str
) -> RowTable:
    table = RowTable(
        "",
        Column("job", Kind.ID),
        "preset",
        "runs",
        f"{metric}, mean ± std",
        "degenerate",
        "failed",
    )
    for job in jobs:
        table.add_row(
            letters[job.job_id],
            job.job_id,
            job.preset,
            str(job.n),
            format_mean(job),
            str(job.degenerate),
            str(job.failed),
        )
    return table


def _build_pair_table(pair: Pair) -> RowTable:
    is_adjusted = any(test.p_holm is not None for test in pair.tests)
    holm_title = ["p (Holm)"] if is_adjusted else []
    reason = Column("", Kind.SENTENCE)
    table = RowTable("", "value", "p", *holm_title, "smallest possible p", reason)
    difference = f"{format_number(pair.difference)} ({format_interval(pair.ci95)})"
    effect = pair.effect_size
    sizes = f"{format_number(effect.cohens_d)}, {format_number(effect.cliffs_delta)}"
    table.add_row("difference of means", difference)
    table.add_row("Cohen's d, Cliff's delta", sizes)
    for test in pair.tests:
        table.add_row(*_format_test_cells(test, is_adjusted=is_adjusted))
    return table


def _format_test_cells(test: HypothesisTest, *, is_adjusted: bool) -> list[str]:
    p_values = [test.p, *([test.p_holm] if is_adjusted else []), test.min_p]
    return [
        TEST_NAMES[test.name],
        format_number(test.statistic),
        *map(_format_p_value, p_values),
        test.reason or "",
    ]


def _format_p_value(p: float | None) -> str:
    return "-" if p is None else f"{p:.2g}" if p < 0.001 else f"{p:.4f}"
