"""Lock a job of the caller for a change."""

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from shared.db import run_requests
from shared.db.jobs import Jobs
from shared.db.tables import Job


def lock_job(services: AppServices, session: Session, job_id: str) -> Job:
    """Lock a job and its runs until the transaction ends. Raises JobNotFound."""
    Jobs(session).get(job_id, services.owner_id)
    return run_requests.lock_job(session, job_id)
