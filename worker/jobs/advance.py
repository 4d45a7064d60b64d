"""THE STORY of a job once runs of it are on their way. Any run moves -> wait. None does ->

    recipe not found -> more pilots, or the recipe and with it the job's own runs (``worker.jobs.pilots``)
    runs wait for the early discard -> the best go on (``worker.jobs.discard``)
    all ended -> choose -> publish -> end

May be rung any number of times by anybody: what is to be done is read from the rows, and one
worker at a time may do it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from obstore.exceptions import BaseError as StorageError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.db.events import JOB_CANCELLED, Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints, Models
from shared.db.run_requests import lock_runs
from shared.db.runs import FenceLost, Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Model, Run
from shared.domain.errors import Reason
from shared.domain.states import JobState, RunState, fold
from shared.infra.storage import BlobMissing
from shared.report.builder import build_diagnosis, build_report, find_best_run
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.jobs import discard, pilots
from worker.jobs.publish import PublishedArtifacts, publish_artifacts, replace_published

log = logging.getLogger(__name__)
T = TypeVar("T")
MAX_PUBLISH_ATTEMPTS = 3
PUBLISH_LEASE_FACTOR = 10  # of a run's lease: packing a large model takes longer than a heartbeat


def advance_job(context: WorkerContext, job_id: str) -> None:
    """Take the job to its next stage, or to its end, if none of its runs moves any more."""
    lease = PUBLISH_LEASE_FACTOR * context.settings.lease_seconds
    fence = write_with_retry(
        context.database, lambda session: Jobs(session).claim_to_advance(job_id, lease)
    )
    if fence is None:
        return
    try:
        _advance_stage(context, job_id, fence)
    except FenceLost:
        log.info("job_taken_over job=%s", job_id)
    except (StorageError, SQLAlchemyError, BlobMissing, OSError, ValueError) as error:
        log.exception("job_not_advanced job=%s", job_id)
        cause = type(error).__name__
        _write_with_locked_runs(
            context, job_id, lambda session: _retry_or_fail_job(session, job_id, fence, cause)
        )


def _write_with_locked_runs(context: WorkerContext, job_id: str, work: Callable[[Session], T]) -> T:
    """A transaction that takes the job's runs before the job itself, as all do that take both."""

    def lock_and_work(session: Session) -> T:
        lock_runs(session, job_id)
        return work(session)

    return write_with_retry(context.database, lock_and_work)


def _advance_stage(context: WorkerContext, job_id: str, fence: int) -> None:
    """Raises FenceLost, and whatever publishing raises."""
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
    if job.cancel_requested:
        _end_job(context, job_id, fence)
    elif job.resolved_recipe is None:
        _write_with_locked_runs(
            context, job_id, lambda session: pilots.decide_pilots(session, job_id, fence)
        )
    elif discard.needs_discard_decision(job):
        for run_id in _write_with_locked_runs(
            context, job_id, lambda session: discard.decide_early_discard(session, job_id, fence)
        ):
            context.storage.delete_prefix(f"runs/{run_id}")
    else:
        _end_job(context, job_id, fence)


def _end_job(context: WorkerContext, job_id: str, fence: int) -> None:
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        runs = Runs(session).of_job(job_id, results=True)
        everything = Runs(session).ids_of_job(job_id)
        earlier = Models(session, job.owner_id).of_job(job_id)
    status = fold([run.status for run in runs], cancelled=job.cancel_requested)
    best = find_best_run(
        [run for run in runs if run.artifacts is not None]
    )  # a published model may have been deleted since
    published = None
    if status is JobState.SUCCEEDED and best is not None:
        if (
            job.publish_attempts > MAX_PUBLISH_ATTEMPTS
        ):  # the tries before ended without a word: killed, or out of memory
            raise OSError("publishing did not come to its end")
        published = publish_artifacts(context, job, runs, best, fence)
    kept = _write_with_locked_runs(
        context,
        job_id,
        lambda session: _record_job_end(session, job_id, fence, status, runs, published),
    )
    # only what rows name stays; what is missed here is an orphan, and swept later
    where_it_was_made = {
        model.run_id for model in kept if model.prefix.startswith(f"runs/{model.run_id}/")
    }
    for run_id in set(everything) - where_it_was_made:
        context.storage.delete_prefix(f"runs/{run_id}")
    for prefix in {model.prefix for model in earlier} - {model.prefix for model in kept}:
        context.storage.delete_prefix(prefix)
    log.info("job_ended job=%s status=%s", job_id, status)


def _record_job_end(
    session: Session,
    job_id: str,
    fence: int,
    status: JobState,
    runs: Sequence[Run],
    published: PublishedArtifacts | None,
) -> Sequence[Model]:
    """The job's last move with everything that follows from it, in one transaction; returns the
    models that it has now.

    Raises FenceLost.
    """
    jobs, events = Jobs(session), Events(session)
    job = session.get_one(
        Job, job_id, with_for_update=True
    )  # no wish to cancel may come between here and the end
    if job.cancel_requested:  # the wish came while the model was being published: nothing is
        status, published = JobState.CANCELLED, None
    tokens = Stages(session).trained_tokens(job_id)
    error = _build_failure_reason(runs) if status is JobState.FAILED else None
    jobs.end(job_id, fence, status, trained_tokens=tokens, error=error)
    if published is not None:
        replace_published(session, job, published)
    kept = Models(session, job.owner_id).of_job(job_id)  # an extended job may have some from before
    of_run = {model.run_id: model for model in kept}
    for run in Runs(session).of_job(job_id):
        model = of_run.get(run.id)
        run.artifacts = None if model is None else model.prefix
        run.fine_tuned_model = None if model is None else model.id
    Checkpoints(session).keep_only(job_id, of_run)
    session.flush()
    session.refresh(job)
    level = {JobState.SUCCEEDED: "info", JobState.CANCELLED: "warn"}.get(status, "error")
    if status is not JobState.CANCELLED:
        for sentence in build_diagnosis(job, runs):
            events.add(job, sentence, level="warn")
    events.add(job, _format_end_message(job, runs, status), level=level)
    return kept


def _format_end_message(job: Job, runs: Sequence[Run], status: JobState) -> str:
    if status is JobState.CANCELLED:
        return JOB_CANCELLED
    if status is JobState.FAILED:
        return "The job failed: none of its runs succeeded."
    return f"The job has succeeded. {build_report(job, runs).verdict.text}"


def _build_failure_reason(runs: Sequence[Run]) -> Reason:
    """Why the job failed: its runs' own reason, if they share one."""
    reasons = [run.error for run in runs if run.status == RunState.FAILED and run.error is not None]
    if not reasons:
        return Reason(
            code="all_runs_cancelled",
            message="Each of the runs was cancelled by itself.",
            param=None,
        )
    codes = {reason["code"] for reason in reasons}
    first = reasons[0]
    if len(codes) == 1:
        return Reason(
            code=first["code"],
            message=f"All {len(reasons)} runs failed: {first['message']}",
            param=first["param"],
        )
    return Reason(
        code="all_runs_failed",
        message=f"All {len(reasons)} runs failed, for different reasons.",
        param=None,
    )


def _retry_or_fail_job(session: Session, job_id: str, fence: int, cause: str) -> None:
    """The sweeper rings for a job that was let go; after a few tries it ends as failed, its
    runs and report kept.
    """
    jobs = Jobs(session)
    job = session.get_one(Job, job_id)
    if job.publish_attempts < MAX_PUBLISH_ATTEMPTS:
        jobs.let_go(job_id, fence)
        return
    message = f"The job could not be taken to its end ({cause}); the worker's log has the details."
    reason = Reason(code="publish_failed", message=message, param=None)
    try:
        jobs.end(job_id, fence, JobState.FAILED, error=reason)
    except FenceLost:
        return
    Stages(session).cancel_open(job_id)
    Events(session).add(job, message, level="error")
