"""``evenkeel report``: the stability report as text, or as an HTML, PNG or CSV file."""

import csv as csv_format
from pathlib import Path
from typing import TYPE_CHECKING

from cli.api_models import Job, Run
from cli.client import Client
from cli.tables import format_duration, format_report, make_console
from shared.report import StabilityReport

if TYPE_CHECKING:
    from shared.report.figures import SeedCurve
    from shared.report.page import JobSection

CSV_COLUMNS = (
    "run_id",
    "seed",
    "init_seed",
    "data_seed",
    "status",
    "degenerate",
    "score",
    "validation_score",
)


def write_report(
    client: Client, job_id: str, *, html: Path | None, png: Path | None, csv: Path | None
) -> None:
    """Write the report to the given files; print it if there are none."""
    console = make_console()
    job = client.get_job(job_id)
    report = client.get_stability_report(job_id)
    if html is png is csv is None:
        console.print(format_report(report))
    if csv is not None:
        write_csv(csv, report)
    if png is not None:
        _write_png(png, job, report)
    if html is not None:
        _write_html(html, client, job, report)
    for path in filter(None, (html, png, csv)):
        console.print(f"Wrote {path}", markup=False, soft_wrap=True)


def write_csv(path: Path, report: StabilityReport) -> None:
    """Write one row per run, in order; undefined scores are empty."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv_format.DictWriter(stream, CSV_COLUMNS, extrasaction="ignore")
        table.writeheader()
        table.writerows(run.model_dump(mode="json") for run in report.runs)


def _write_png(path: Path, job: Job, report: StabilityReport) -> None:
    from shared.report.page import render_summary_png

    path.write_bytes(render_summary_png([(job.preset, report)]))


def _write_html(path: Path, client: Client, job: Job, report: StabilityReport) -> None:
    from shared.report.page import render_report

    path.write_text(render_report([build_section(client, job, report)]), encoding="utf-8")


def build_section(
    client: Client, job: Job, report: StabilityReport, title: str | None = None
) -> "JobSection":
    """Collect what the page shows of a job; its title is the preset unless one is given."""
    from shared.report.page import JobSection

    runs = client.list_runs(job.id)
    name = title or job.preset
    return JobSection(
        title=name,
        report=report,
        recipe=job.resolved_recipe or {},
        facts=_collect_facts(client, job, runs),
        curves=tuple(_build_curve(client, job, run, name) for run in runs if run.step > 0),
    )


def _collect_facts(client: Client, job: Job, runs: list[Run]) -> dict[str, str]:
    rows = job.dataset.rows
    devices = sorted({run.device for run in runs if run.device})
    return {
        "job": job.id,
        "base model": job.model,
        "training file": client.get_file(job.training_file).filename,
        "rows": ", ".join(f"{amount} {split}" for split, amount in rows.items() if amount),
        "device": ", ".join(devices) or "-",
        "time": "-"
        if job.finished_at is None
        else format_duration(job.finished_at - job.created_at),
    }


def _build_curve(client: Client, job: Job, run: Run, title: str) -> "SeedCurve":
    from shared.report.figures import SeedCurve

    score = f"valid_{job.metric}"
    series = {
        one.name: one.points for one in client.list_run_metrics(job.id, run.id, "valid_loss", score)
    }
    return SeedCurve(
        job=title,
        seed=run.seed,
        degenerate=bool(run.degenerate),
        valid_loss=series.get("valid_loss", []),
        valid_score=series.get(score, []),
        best_step=run.best_step,
    )
