"""Cancel and retry single runs, and read their logs."""

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.extendability import require_extendable_job
from api.jobs.locking import lock_job
from api.jobs.waiting import wait_while
from api.runs.schemas import RunObject
from shared.db.events import Events
from shared.db.jobs import JOB_ADVANCE, Jobs
from shared.db.owner_limits import lock_owner_usage
from shared.db.run_requests import RunRequests, is_in_training
from shared.db.runs import Runs
from shared.db.session import notify_after_commit
from shared.db.tables import Job, Run
from shared.domain.errors import RunAlreadyEnded, RunNotRetryable
from shared.domain.naming import format_run_title
from shared.domain.states import (
    ENDED_JOB_STATES,
    ENDED_RUN_STATES,
    OPEN_RUN_STATES,
    JobState,
    Purpose,
    RunState,
)
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_log_key

_RETRYABLE_STATES = frozenset({RunState.FAILED, RunState.CANCELLED})


def list_runs(services: AppServices, job_id: str, purpose: str) -> list[RunObject]:
    """List the runs of a job with one purpose, by index. Raises JobNotFound."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        runs = Runs(session).list_by_job(job_id, purpose=purpose)
    return [RunObject.from_row(run, job) for run in runs]


def cancel_run(services: AppServices, job_id: str, run_id: str) -> RunObject:
    """Cancel one run; the job continues without it. Raises RunAlreadyEnded."""
    with services.database.write() as session:
        job = lock_job(services, session, job_id)
        run = Runs(session).get(job_id, run_id)
        _require_open(run)
        RunRequests(session).cancel_runs(job_id, run_id)
        Events(session).add(
            job,
            f"{_format_run_title(run)}: cancellation was requested.",
            level="warn",
            run_id=run_id,
        )
        notify_after_commit(session, JOB_ADVANCE, job_id)  # it may have been the last open run
    wait_while(lambda: _is_training(services, job_id, run_id))
    return _get_run_object(services, job_id, run_id)


def retry_run(services: AppServices, job_id: str, run_id: str) -> RunObject:
    """Requeue a failed or cancelled run and reopen its job; an open run is returned unchanged.

    Raises RunNotRetryable, and what extending the job would raise.
    """
    with services.database.write() as session:
        job = lock_job(services, session, job_id)
        run = Runs(session).get(job_id, run_id)
        if run.status not in OPEN_RUN_STATES:
            _require_retryable(run)
            require_extendable_job(services, session, job)
            usage = lock_owner_usage(session, job.owner_id, services.settings)
            if job.status in ENDED_JOB_STATES:
                usage.require_room_for_job()
            usage.require_room_for_runs(1)
            _requeue_run(session, job, run)
    return _get_run_object(services, job_id, run_id)


def find_run_log(
    services: AppServices, job_id: str, run_id: str, attempt: int | None = None
) -> str:
    """Return the log of an attempt, by default of the latest. Raises JobNotFound, RunNotFound."""
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        latest = Runs(session).get(job_id, run_id).attempt
    return read_run_log(services, run_id, attempt or latest)


def read_run_log(services: AppServices, run_id: str, attempt: int) -> str:
    """Return the log of an attempt; empty if none is stored."""
    try:
        return b"".join(services.storage.stream(build_log_key(run_id, attempt))).decode()
    except BlobMissing:
        return ""


def _requeue_run(session: Session, job: Job, run: Run) -> None:
    Jobs(session).reopen_job(job)
    RunRequests(session).retry_run(run)
    if job.status == JobState.PAUSED:
        RunRequests(session).pause_runs(job.id)
    Events(session).add(job, f"{_format_run_title(run)}: a retry was requested.", run_id=run.id)


def _require_open(run: Run) -> None:
    if run.status in ENDED_RUN_STATES:
        raise RunAlreadyEnded(
            f"Run {run.id} has already ended; its status is {run.status}.", param="run_id"
        )


def _require_retryable(run: Run) -> None:
    if run.purpose == Purpose.PILOT:
        raise RunNotRetryable("Pilots cannot be retried; clone the job instead.", param="run_id")
    if run.purpose == Purpose.DISTILLATION:
        raise RunNotRetryable(
            "A distillation cannot be retried; add seeds to the job, or clone it.", param="run_id"
        )
    if run.status not in _RETRYABLE_STATES:
        raise RunNotRetryable(
            f"Run {run.id} has the status {run.status}; only failed and cancelled runs can be "
            "retried.",
            param="run_id",
        )


def _is_training(services: AppServices, job_id: str, run_id: str) -> bool:
    with services.database.read() as session:
        return is_in_training(session, job_id, run_id)


def _get_run_object(services: AppServices, job_id: str, run_id: str) -> RunObject:
    with services.database.read() as session:
        return RunObject.from_row(
            Runs(session).get(job_id, run_id), Jobs(session).get(job_id, services.owner_id)
        )


def _format_run_title(run: Run) -> str:
    return format_run_title(run.purpose, run.index, run.seed)
