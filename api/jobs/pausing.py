"""Pausing a job and going on with it. Either can be sent again: what is so already is answered
as it is.
"""

import time
from collections.abc import Callable

from api.dependencies import AppServices
from api.jobs.schemas import JobObject
from api.jobs.service import CANCEL_TIMEOUT_S, POLL_INTERVAL_S, get_job
from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.run_requests import RunWishes, in_training, lock_runs
from shared.db.tables import Job
from shared.domain.errors import JobAlreadyEnded
from shared.domain.states import JOB_ENDED, JobState


def pause_job(services: AppServices, job_id: str) -> JobObject:
    """Nothing of the job is begun any more, and what trains is stopped; a moment is waited for
    that.
    """
    with services.database.write() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).pause(job_id):
            RunWishes(session).pause(job_id)
            Events(session).add(job, "The job was paused.", level="warn")
        else:
            session.refresh(job)
            _require_open_job(job)
    wait_while(lambda: _is_training(services, job_id))
    return get_job(services, job_id)


def resume_job(services: AppServices, job_id: str) -> JobObject:
    """What waited is queued again."""
    with services.database.write() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).resume(job_id):
            RunWishes(session).resume(job_id)
            Events(session).add(job, "The job goes on.")
        else:
            session.refresh(job)
            _require_open_job(job)
    return get_job(services, job_id)


def wait_while(condition: Callable[[], bool]) -> None:
    """For as long as a running training takes to be stopped, but no longer."""
    deadline = time.monotonic() + CANCEL_TIMEOUT_S
    while condition() and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)


def _is_training(services: AppServices, job_id: str) -> bool:
    with services.database.read() as session:
        return in_training(session, job_id)


def _require_open_job(job: Job) -> None:
    if job.status in JOB_ENDED:
        raise JobAlreadyEnded(
            f"Job {job.id} has already ended: it is {job.status}.", param="fine_tuning_job_id"
        )
    if job.cancel_requested and job.status != JobState.CANCELLED:
        raise JobAlreadyEnded(f"Job {job.id} is being cancelled.", param="fine_tuning_job_id")
