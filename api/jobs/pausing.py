"""Pausing a job and going on with it. Either can be sent again: what is so already is answered as it is."""

import time
from collections.abc import Callable

from api.dependencies import Parts
from api.jobs.schemas import JobObject
from api.jobs.service import CANCEL_WAIT_S, POLL_S, retrieve
from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.run_requests import RunWishes, in_training, lock_runs
from shared.db.tables import Job
from shared.domain.errors import JobAlreadyEnded
from shared.domain.states import JOB_ENDED, JobState


def pause(parts: Parts, job_id: str) -> JobObject:
    """Nothing of the job is begun any more, and what trains is stopped; a moment is waited for that."""
    with parts.database.write() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).pause(job_id):
            RunWishes(session).pause(job_id)
            Events(session).add(job, "The job was paused.", level="warn")
        else:
            session.refresh(job)
            _refuse_ended(job)
    wait_while(lambda: _trains(parts, job_id))
    return retrieve(parts, job_id)


def resume(parts: Parts, job_id: str) -> JobObject:
    """What waited is queued again."""
    with parts.database.write() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        lock_runs(session, job_id)
        if Jobs(session).resume(job_id):
            RunWishes(session).resume(job_id)
            Events(session).add(job, "The job goes on.")
        else:
            session.refresh(job)
            _refuse_ended(job)
    return retrieve(parts, job_id)


def wait_while(true: Callable[[], bool]) -> None:
    """For as long as a running training takes to be stopped, but no longer."""
    deadline = time.monotonic() + CANCEL_WAIT_S
    while true() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _trains(parts: Parts, job_id: str) -> bool:
    with parts.database.read() as session:
        return in_training(session, job_id)


def _refuse_ended(job: Job) -> None:
    if job.status in JOB_ENDED:
        raise JobAlreadyEnded(
            f"Job {job.id} has already ended: it is {job.status}.", param="fine_tuning_job_id"
        )
    if job.cancel_requested and job.status != JobState.CANCELLED:
        raise JobAlreadyEnded(f"Job {job.id} is being cancelled.", param="fine_tuning_job_id")
