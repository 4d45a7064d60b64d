"""Reports over a job's runs, as they stand."""

from typing import Any

from sqlalchemy.orm import Session

from shared.db.runs import Runs
from shared.db.tables import Job
from shared.job_report import report_of


def numbers_of(session: Session, job: Job) -> dict[str, Any]:
    """The report without its per-run part, as it rides on a job."""
    report = report_of(job, Runs(session).of_job(job.id))
    return report.model_dump(mode="json", exclude={"runs", "confusion_matrix", "object", "job_id"})
