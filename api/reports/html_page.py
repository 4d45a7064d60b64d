"""A job's report as a page for people."""

import os
import subprocess

from api.dependencies import AppServices
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.runs import Runs
from shared.domain.errors import FileNotFound, ServiceBusy, ServiceUnavailable
from shared.infra.child_process import python_path
from shared.report.builder import build_full_report
from shared.report.figures import SeedCurve
from shared.report.page import JobSection

_FORWARDED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "HOME", "TZ")
"""Environment variables that the drawing process may need; passwords and keys are not among
them.
"""


def render_report_page(services: AppServices, job_id: str) -> str:
    """Raises JobNotFound; ServiceBusy while others are drawn; ServiceUnavailable where drawing
    does not come to its end.
    """
    section = _build_section(services, job_id)
    if not services.report_semaphore.acquire(blocking=False):
        raise ServiceBusy("As many reports are being drawn as may be at a time.")
    try:
        from api.reports.page_process import render_report_in_child

        environment = {
            name: os.environ[name] for name in _FORWARDED_VARIABLES if name in os.environ
        }
        return render_report_in_child([section], environment | python_path())
    except subprocess.SubprocessError:
        raise ServiceUnavailable("The report's figures could not be drawn.") from None
    finally:
        services.report_semaphore.release()


def _build_section(services: AppServices, job_id: str) -> JobSection:
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        runs = Runs(session).of_job(job_id, results=True)
        report = build_full_report(session, job, runs)
        begun = [run for run in runs if run.step > 0]
        ids, metrics = [run.id for run in begun], Metrics(session)
        losses, scores = (
            metrics.of_runs(ids, "valid_loss"),
            metrics.of_runs(ids, f"valid_{job.metric}"),
        )
        try:
            training_file = Files(session, services.owner_id).get(job.training_file).filename
        except FileNotFound:  # deleted since
            training_file = job.training_file
    recipe = job.resolved_recipe or job.request.get("recipe", {})
    title = str(recipe.get("preset", "stabilized"))
    return JobSection(
        title=title,
        report=report,
        recipe=recipe,
        facts={
            "job": job.id,
            "base model": job.model,
            "training file": training_file,
            "rows": ", ".join(
                f"{count} {split}" for split, count in job.dataset["rows"].items() if count
            ),
            "device": ", ".join(sorted({run.device for run in runs if run.device})) or "-",
        },
        curves=tuple(
            SeedCurve(
                job=title,
                seed=run.seed,
                degenerate=bool(run.degenerate),
                valid_loss=losses.get(run.id, []),
                valid_score=scores.get(run.id, []),
                best_step=run.best_step,
            )
            for run in begun
        ),
    )
