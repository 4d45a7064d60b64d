"""Pause and resume jobs; repeating either has no further effect."""

from api.dependencies import AppServices
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from api.jobs.waiting import wait_while
from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.run_requests import RunRequests, is_in_training, lock_runs
from shared.db.tables import Job
from shared.domain.errors import JobAlreadyEnded
from shared.domain.states import ENDED_JOB_STATES, JobState


def pause_job(services: AppServices, job_id: str) -> JobObject:
    """Start no further run of the job, and wait briefly until its running ones have stopped.

    Raises JobNotFound, JobAlreadyEnded.
    """
    with services.database.write() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).pause_job(job_id):
            RunRequests(session).pause_runs(job_id)
            Events(session).add(job, "The job was paused.", level="warn")
        else:
            session.refresh(job)
            _require_open_job(job)
    wait_while(lambda: _is_training(services, job_id))
    return get_job(services, job_id)


def resume_job(services: AppServices, job_id: str) -> JobObject:
    """Queue the paused runs again. Raises JobNotFound, JobAlreadyEnded."""
    with services.database.write() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).resume_job(job_id):
            RunRequests(session).resume_runs(job_id)
            Events(session).add(job, "The job was resumed.")
        else:
            session.refresh(job)
            _require_open_job(job)
    return get_job(services, job_id)


def _is_training(services: AppServices, job_id: str) -> bool:
    with services.database.read() as session:
        return is_in_training(session, job_id)


def _require_open_job(job: Job) -> None:
    if job.status in ENDED_JOB_STATES:
        raise JobAlreadyEnded(
            f"Job {job.id} has already ended; its status is {job.status}.",
            param="fine_tuning_job_id",
        )
    if job.cancel_requested and job.status != JobState.CANCELLED:
        raise JobAlreadyEnded(f"Job {job.id} is being cancelled.", param="fine_tuning_job_id")
