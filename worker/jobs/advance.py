"""The stages of a job after its first runs have started. The job waits while a run is open. Then:

    no recipe yet         -> more pilots, or a recipe and the job's runs (``worker.jobs.pilots``)
    runs paused at a rung -> the best ones continue (``worker.jobs.discard``)
    a distillation held   -> it starts (``worker.jobs.distillation``)
    all runs ended        -> choose the best run -> publish -> end the job

The message may arrive any number of times: the next stage is read from the rows, and a lease lets
one worker at a time advance the job.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.db.events import JOB_CANCELLED_MESSAGE, Events
from shared.db.files import list_digests
from shared.db.job_advances import JobAdvances
from shared.db.models import Checkpoints, Models
from shared.db.run_requests import lock_runs
from shared.db.runs import FenceLost, Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Model, Run
from shared.domain.errors import Reason
from shared.domain.states import JobState, RunState, derive_job_state
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_artifacts_prefix
from shared.report.builder import build_diagnosis, build_report
from worker.context import WorkerContext
from worker.db_retry import UNAVAILABLE_ERRORS, write_with_retry
from worker.jobs import discard, distillation, pilots
from worker.jobs.job_artifacts import (
    delete_unused_artifacts,
    delete_unused_contents,
    publish_model,
)
from worker.jobs.publish import PublishedArtifacts, replace_published
from worker.jobs.retries import (
    AdvanceInterrupted,
    ArtifactsMissing,
    postpone_advance,
    retry_or_fail,
)

log = logging.getLogger(__name__)
T = TypeVar("T")
PUBLISH_LEASE_FACTOR = 10  # times a run's lease, because publishing has no heartbeat


def advance_job(context: WorkerContext, job_id: str) -> None:
    """Take the job to its next stage, or end it, unless a run is still open."""
    lease = PUBLISH_LEASE_FACTOR * context.settings.lease_seconds
    fence = write_with_retry(
        context.database, lambda session: JobAdvances(session).claim_to_advance(job_id, lease)
    )
    if fence is None:
        return
    try:
        _advance_stage(context, job_id, fence)
    except FenceLost:
        log.info("job_lease_lost job=%s", job_id)
    except (OSError, *UNAVAILABLE_ERRORS) as error:
        log.warning("job_advance_postponed job=%s error=%s", job_id, error)
        _write_with_locked_runs(
            context, job_id, partial(postpone_advance, job_id=job_id, fence=fence, error=error)
        )
    except (
        *(SQLAlchemyError, BlobMissing, ValueError),
        *(ArtifactsMissing, AdvanceInterrupted),
    ) as error:
        log.exception("job_advance_failed job=%s", job_id)
        _write_with_locked_runs(
            context, job_id, partial(retry_or_fail, job_id=job_id, fence=fence, error=error)
        )


def _write_with_locked_runs(context: WorkerContext, job_id: str, work: Callable[[Session], T]) -> T:
    """Call ``work`` in a transaction that has locked the job's runs.

    Every transaction that locks both locks the runs before the job; the other order can deadlock.
    """

    def lock_and_work(session: Session) -> T:
        lock_runs(session, job_id)
        return work(session)

    return write_with_retry(context.database, lock_and_work)


def _advance_stage(context: WorkerContext, job_id: str, fence: int) -> None:
    """Do the next stage. Raises FenceLost, BlobMissing, OSError, ValueError, storage errors."""
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
            context.storage.delete_prefix(build_artifacts_prefix(run_id))
    elif (due_id := _find_due_distillation(context, job)) is not None:
        _write_with_locked_runs(
            context,
            job_id,
            partial(distillation.start_distillation, job_id=job_id, fence=fence, run_id=due_id),
        )
    else:
        _end_job(context, job_id, fence)


def _find_due_distillation(context: WorkerContext, job: Job) -> str | None:
    with context.database.read() as session:
        runs = Runs(session).list_by_job(job.id)
        due = distillation.find_due_distillation(
            job, runs, distillation.list_distillations(session, job.id)
        )
        return None if due is None else due.id


def _end_job(context: WorkerContext, job_id: str, fence: int) -> None:
    with context.database.read() as session:
        job = session.get_one(Job, job_id)
        runs = Runs(session).list_by_job(job_id, with_results=True)
        all_run_ids = Runs(session).list_ids_by_job(job_id)
        distillations = distillation.list_distillations(session, job_id)
        earlier_models = Models(session, job.owner_id).list_by_job(job_id)
        earlier_digests = list_digests(session, job.result_files)
    status = derive_job_state([run.status for run in runs], cancelled=job.cancel_requested)
    published = None
    if status is JobState.SUCCEEDED:
        published = publish_model(context, job, runs, distillations, fence)
    kept_models = _write_with_locked_runs(
        context,
        job_id,
        lambda session: _record_job_end(session, job_id, fence, status, runs, published),
    )
    delete_unused_artifacts(context, all_run_ids, earlier_models, kept_models)
    delete_unused_contents(context, earlier_digests)
    log.info("job_ended job=%s status=%s", job_id, status)


def _record_job_end(
    session: Session,
    job_id: str,
    fence: int,
    status: JobState,
    runs: Sequence[Run],
    published: PublishedArtifacts | None,
) -> Sequence[Model]:
    """End the job and update its models, runs, checkpoints and events in one transaction.

    Return the models that the job keeps. Raises FenceLost.
    """
    # locked, so that no cancellation can come between here and the end
    job = session.get_one(Job, job_id, with_for_update=True)
    if job.cancel_requested:  # cancelled while the model was being published: publish nothing
        status, published = JobState.CANCELLED, None
    tokens = Stages(session).sum_trained_tokens(job_id)
    error = _build_failure_reason(runs) if status is JobState.FAILED else None
    Stages(session).cancel_open_runs(job_id)  # a distillation that could not start
    JobAdvances(session).finish_job(job_id, fence, status, trained_tokens=tokens, error=error)
    if published is not None:
        replace_published(session, job, published)
    kept_models = _link_kept_models(session, job)
    session.flush()
    session.refresh(job)
    _add_end_events(session, job, runs, status)
    return kept_models


def _link_kept_models(session: Session, job: Job) -> Sequence[Model]:
    """Point the runs and checkpoints to the models that the job keeps, and return the models."""
    # an extended job may have models of its earlier publication
    kept_models = Models(session, job.owner_id).list_by_job(job.id)
    model_by_run = {model.run_id: model for model in kept_models}
    distillations = distillation.list_distillations(session, job.id)
    for run in [*Runs(session).list_by_job(job.id), *distillations]:
        model = model_by_run.get(run.id)
        run.artifacts = None if model is None else model.prefix
        run.fine_tuned_model = None if model is None else model.id
    Checkpoints(session).keep_only(job.id, model_by_run)
    return kept_models


def _add_end_events(session: Session, job: Job, runs: Sequence[Run], status: JobState) -> None:
    """Add the diagnosis and the outcome of the job as events."""
    events = Events(session)
    level = {JobState.SUCCEEDED: "info", JobState.CANCELLED: "warn"}.get(status, "error")
    if status is not JobState.CANCELLED:
        for sentence in build_diagnosis(job, runs):
            events.add(job, sentence, level="warn")
    events.add(job, _format_end_message(job, runs, status), level=level)


def _format_end_message(job: Job, runs: Sequence[Run], status: JobState) -> str:
    if status is JobState.CANCELLED:
        return JOB_CANCELLED_MESSAGE
    if status is JobState.FAILED:
        return "The job failed: none of its runs succeeded."
    return f"The job has succeeded. {build_report(job, runs).verdict.text}"


def _build_failure_reason(runs: Sequence[Run]) -> Reason:
    """Return why the job failed: the reason of its runs, if they share one."""
    reasons = [run.error for run in runs if run.status == RunState.FAILED and run.error is not None]
    if not reasons:
        message = "All runs were cancelled individually."
        return Reason(code="all_runs_cancelled", message=message, param=None)
    first = reasons[0]
    if len({reason.code for reason in reasons}) == 1:
        failed = "Its only run failed" if len(reasons) == 1 else f"All {len(reasons)} runs failed"
        return Reason(code=first.code, message=f"{failed}: {first.message}", param=first.param)
    message = f"All {len(reasons)} runs failed, for different reasons; each run has its own error."
    return Reason(code="all_runs_failed", message=message, param=None)
