"""Cancelling a run by itself, trying one again, and what was said of it."""

from sqlalchemy.orm import Session

from api.dependencies import Parts
from api.jobs.extend import locked, refuse_more_runs
from api.jobs.pausing import wait_while
from api.runs.schemas import RunObject
from shared.db.events import Events
from shared.db.jobs import JOB_ADVANCE, Jobs
from shared.db.run_requests import RunWishes, in_training
from shared.db.runs import Runs
from shared.db.session import ring_after_commit
from shared.db.tables import Job, Run
from shared.domain.errors import RunAlreadyEnded, RunNotRetryable
from shared.domain.naming import run_title
from shared.domain.states import RUN_ENDED, RUN_OPEN, JobState, Purpose, RunState
from shared.infra.storage import BlobMissing, log_key

_RETRYABLE = frozenset({RunState.FAILED, RunState.CANCELLED})


def cancel(parts: Parts, job_id: str, run_id: str) -> RunObject:
    """The job goes on without it. Raises RunAlreadyEnded."""
    with parts.database.write() as session:
        job = locked(session, Jobs(session).get(job_id, parts.owner_id).id)
        run = Runs(session).get(job_id, run_id)
        if run.status in RUN_ENDED:
            raise RunAlreadyEnded(
                f"Run {run_id} has already ended: it is {run.status}.", param="run_id"
            )
        RunWishes(session).cancel(job_id, run_id)
        Events(session).add(
            job, f"{_title(run)}: cancelling was asked for.", level="warn", run_id=run_id
        )
        ring_after_commit(session, JOB_ADVANCE, job_id)  # it may have been the last that moved
    wait_while(lambda: _trains(parts, job_id, run_id))
    return _view(parts, job_id, run_id)


def retry(parts: Parts, job_id: str, run_id: str) -> RunObject:
    """Queue a failed or cancelled run again, and open its job for it; one that is open is answered as it is.

    Raises RunNotRetryable, and what extending the job would raise.
    """
    with parts.database.write() as session:
        job = locked(session, Jobs(session).get(job_id, parts.owner_id).id)
        run = Runs(session).get(job_id, run_id)
        if run.status not in RUN_OPEN:
            _refuse(run)
            refuse_more_runs(parts, session, job)
            _queue_again(session, job, run)
    return _view(parts, job_id, run_id)


def log_of(parts: Parts, run_id: str, attempt: int) -> str:
    try:
        return b"".join(parts.storage.stream(log_key(run_id, attempt))).decode()
    except BlobMissing:
        return ""


def _queue_again(session: Session, job: Job, run: Run) -> None:
    Jobs(session).reopen(job)
    RunWishes(session).retry(run)
    if job.status == JobState.PAUSED:
        RunWishes(session).pause(job.id)
    Events(session).add(job, f"{_title(run)} is tried again.", run_id=run.id)


def _refuse(run: Run) -> None:
    if run.purpose == Purpose.PILOT:
        raise RunNotRetryable("A pilot is not tried again; clone the job.", param="run_id")
    if run.status not in _RETRYABLE:
        raise RunNotRetryable(
            f"Run {run.id} is {run.status}; only a failed or cancelled one can be tried again.",
            param="run_id",
        )


def _trains(parts: Parts, job_id: str, run_id: str) -> bool:
    with parts.database.read() as session:
        return in_training(session, job_id, run_id)


def _view(parts: Parts, job_id: str, run_id: str) -> RunObject:
    with parts.database.read() as session:
        return RunObject.of(
            Runs(session).get(job_id, run_id), Jobs(session).get(job_id, parts.owner_id)
        )


def _title(run: Run) -> str:
    return run_title(run.purpose, run.index, run.seed)
