"""The HTML page of a job's report: collect its data, draw it in a child process."""

import os
import subprocess
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.db.tables import Job, Run
from shared.domain.errors import FileNotFound, ServiceBusy, ServiceUnavailable
from shared.domain.stored import dump_stored
from shared.infra.child_process import build_module_environment
from shared.report.builder import build_full_report
from shared.report.figures import SeedCurve
from shared.report.page import JobSection

_FORWARDED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "HOME", "TZ")
"""Environment variables that the child process may need; passwords and keys are not among them."""


def render_report_page(services: AppServices, job_id: str) -> str:
    """Render the report of a job as HTML.

    Raises JobNotFound, ServiceBusy while other reports are drawn, and ServiceUnavailable if the
    child process fails.
    """
    section = _build_section(services, job_id)
    if not services.report_semaphore.acquire(blocking=False):
        raise ServiceBusy("Too many reports are being drawn; retry shortly.")
    try:
        from api.reports.page_process import render_report_in_child

        return render_report_in_child([section], _build_child_environment())
    except subprocess.SubprocessError:
        raise ServiceUnavailable(
            "The figures of the report could not be drawn; retry, or read the JSON report."
        ) from None
    finally:
        services.report_semaphore.release()


def _build_child_environment() -> dict[str, str]:
    forwarded = {name: os.environ[name] for name in _FORWARDED_VARIABLES if name in os.environ}
    return forwarded | build_module_environment()


def _build_section(services: AppServices, job_id: str) -> JobSection:
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        runs = Runs(session).list_by_job(job_id, with_results=True)
        report = build_full_report(session, job, runs)
        recipe = job.resolved_recipe or job.request.recipe
        title = recipe.preset
        curves = _read_curves(session, job, runs, title)
        filename = _get_training_filename(session, services.owner_id, job)
    return JobSection(
        title=title,
        report=report,
        recipe=dump_stored(recipe),
        facts=_describe_job(job, runs, filename),
        curves=curves,
    )


def _read_curves(
    session: Session, job: Job, runs: Sequence[Run], title: str
) -> tuple[SeedCurve, ...]:
    started = [run for run in runs if run.step > 0]
    run_ids, metrics = [run.id for run in started], Metrics(session)
    losses = metrics.get_series_by_run(run_ids, "valid_loss")
    scores = metrics.get_series_by_run(run_ids, f"valid_{job.metric}")
    return tuple(
        SeedCurve(
            job=title,
            seed=run.seed,
            degenerate=bool(run.degenerate),
            valid_loss=losses.get(run.id, []),
            valid_score=scores.get(run.id, []),
            best_step=run.best_step,
        )
        for run in started
    )


def _get_training_filename(session: Session, owner_id: str, job: Job) -> str:
    try:
        return Files(session, owner_id).get(job.training_file).filename
    except FileNotFound:  # deleted after the job was created
        return job.training_file


def _describe_job(job: Job, runs: Sequence[Run], filename: str) -> Mapping[str, str]:
    row_counts = job.dataset.rows.by_split.items()
    return {
        "job": job.id,
        "base model": job.model,
        "training file": filename,
        "rows": ", ".join(f"{count} {split}" for split, count in row_counts if count),
        "device": ", ".join(sorted({run.device for run in runs if run.device})) or "-",
    }
