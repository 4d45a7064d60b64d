"""THE STORY of a job once its runs are on their way: any run open -> wait; all ended -> choose -> publish -> end.

May be rung any number of times by anybody: what is to be done is read from the rows, and one worker at a time may do it.
"""

import logging
from collections.abc import Sequence

from obstore.exceptions import BaseError as StorageError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.db.events import JOB_CANCELLED, Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints
from shared.db.runs import FenceLost, Runs
from shared.db.tables import Job, Run
from shared.errors import Reason
from shared.job_report import best_run, report_of
from shared.states import JobState, RunState, fold
from shared.storage import BlobMissing
from worker.parts import WorkerParts
from worker.patience import patiently
from worker.publish import Published, publish

log = logging.getLogger(__name__)
MAX_PUBLISH_ATTEMPTS = 3
PUBLISH_LEASE_FACTOR = 10  # of a run's lease: packing a large model takes longer than a heartbeat


def advance(parts: WorkerParts, job_id: str) -> None:
    """End the job if nothing of it is open any more."""
    lease = PUBLISH_LEASE_FACTOR * parts.settings.lease_seconds
    fence = patiently(parts.database, lambda session: Jobs(session).claim_to_end(job_id, lease))
    if fence is None:
        return
    try:
        _end(parts, job_id, fence)
    except FenceLost:
        log.info("job_taken_over job=%s", job_id)
    except (StorageError, SQLAlchemyError, BlobMissing, OSError, ValueError) as error:
        log.exception("job_not_published job=%s", job_id)
        cause = type(error).__name__
        patiently(parts.database, lambda session: _give_up_or_retry(session, job_id, fence, cause))


def _end(parts: WorkerParts, job_id: str, fence: int) -> None:
    with parts.database.read() as session:
        job = session.get_one(Job, job_id)
        runs = Runs(session).of_job(job_id, results=True)
    status = fold([run.status for run in runs], cancelled=job.cancel_requested)
    best = best_run(runs)
    published = None
    if status is JobState.SUCCEEDED and best is not None:
        if (
            job.publish_attempts > MAX_PUBLISH_ATTEMPTS
        ):  # the tries before ended without a word: killed, or out of memory
            raise OSError("publishing did not come to its end")
        published = publish(parts, job, runs, best, fence)
    patiently(parts.database, lambda session: _record_end(session, job_id, fence, status, runs, published))
    for run in runs:  # only what was published stays; what is missed here is an orphan, and swept later
        parts.storage.delete_prefix(f"runs/{run.id}")
    log.info("job_ended job=%s status=%s", job_id, status)


def _record_end(
    session: Session, job_id: str, fence: int, status: JobState, runs: Sequence[Run], published: Published | None
) -> None:
    """The job's last move with everything that follows from it, in one transaction. Raises FenceLost."""
    jobs, events = Jobs(session), Events(session)
    job = session.get_one(Job, job_id, with_for_update=True)  # no wish to cancel may come between here and the end
    if job.cancel_requested:  # the wish came while the model was being published: nothing is
        status, published = JobState.CANCELLED, None
    tokens = sum(run.trained_tokens or 0 for run in runs) or None
    error = _failure(runs) if status is JobState.FAILED else None
    if published is None:
        jobs.end(job_id, fence, status, trained_tokens=tokens, error=error)
    else:
        session.add_all([*published.files, published.model])
        jobs.end(
            job_id,
            fence,
            status,
            trained_tokens=tokens,
            error=error,
            fine_tuned_model=published.model.id,
            result_files=[file.id for file in published.files],
        )
    for run in Runs(session).of_job(job_id):
        kept = published is not None and run.id == published.model.run_id
        run.artifacts = published.model.prefix if published is not None and kept else None
        run.fine_tuned_model = published.model.id if published is not None and kept else None
    Checkpoints(session).keep_only(job_id, None if published is None else published.model.run_id)
    session.flush()
    session.refresh(job)
    level = {JobState.SUCCEEDED: "info", JobState.CANCELLED: "warn"}.get(status, "error")
    events.add(job, _last_words(job, runs, status), level=level)


def _last_words(job: Job, runs: Sequence[Run], status: JobState) -> str:
    if status is JobState.CANCELLED:
        return JOB_CANCELLED
    if status is JobState.FAILED:
        return "The job failed: none of its runs succeeded."
    return f"The job has succeeded. {report_of(job, runs).verdict.text}"


def _failure(runs: Sequence[Run]) -> Reason:
    """Why the job failed: its runs' own reason, if they share one."""
    reasons = [run.error for run in runs if run.status == RunState.FAILED and run.error is not None]
    codes = {reason["code"] for reason in reasons}
    first = reasons[0] if reasons else None
    if first is not None and len(codes) == 1:
        return Reason(
            code=first["code"], message=f"All {len(reasons)} runs failed: {first['message']}", param=first["param"]
        )
    return Reason(code="all_runs_failed", message=f"All {len(reasons)} runs failed, for different reasons.", param=None)


def _give_up_or_retry(session: Session, job_id: str, fence: int, cause: str) -> None:
    """The sweeper rings for a job that was let go; after a few tries it ends as failed, its runs and report kept."""
    jobs = Jobs(session)
    job = session.get_one(Job, job_id)
    if job.publish_attempts < MAX_PUBLISH_ATTEMPTS:
        jobs.let_go(job_id, fence)
        return
    reason = Reason(
        code="publish_failed",
        message=f"The model could not be stored ({cause}); the worker's log has the details.",
        param=None,
    )
    try:
        jobs.end(job_id, fence, JobState.FAILED, error=reason)
    except FenceLost:
        return
    Events(session).add(job, reason["message"], level="error")
