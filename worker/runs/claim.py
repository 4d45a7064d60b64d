"""Claiming: the runs that a slot trains next, as many of one job as it may train side by side."""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.runs import Hold, Runs
from shared.db.stack_claim import Companions
from shared.db.tables import File, Job, Model
from shared.domain.naming import FINE_TUNED, run_title, state_step
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.runs.assignment import Assignment

log = logging.getLogger(__name__)


def claim_runs(context: WorkerContext, preferred_run_id: str | None) -> list[Assignment]:
    """The preferred run or the oldest, and queued ones that differ from it in their seeds
    alone; empty when nothing is queued.
    """
    assignments = write_with_retry(
        context.database, lambda session: _claim_in_session(session, context, preferred_run_id)
    )
    for assignment in assignments:
        log.info("run_claimed run=%s attempt=%s", assignment.run.id, assignment.run.attempt)
    return assignments


def _claim_in_session(
    session: Session, context: WorkerContext, preferred_run_id: str | None
) -> list[Assignment]:
    lease, slots = context.settings.lease_seconds, context.settings.worker_slots
    first = Runs(session).claim(context.name, lease, prefer=preferred_run_id)
    if first is None:
        return []
    more = Companions(session, context.name, lease).claim(
        first, most=context.stack_size, slots=slots
    )
    job = Runs(session).job_started(first.run_id)
    named = [job.training_file, job.validation_file, job.test_file]
    files = session.scalars(
        select(File).where(File.id.in_([name for name in named if name is not None]))
    ).all()
    base = session.get(Model, job.model) if job.model.startswith(FINE_TUNED) else None
    known = {file.id: file for file in files}
    return [_build_assignment(session, job, hold, known, base) for hold in (first, *more)]


def _build_assignment(
    session: Session, job: Job, lease: Hold, files: dict[str, File], base_model: Model | None
) -> Assignment:
    run = Runs(session).get(job.id, lease.run_id)
    session.refresh(run)
    how = "started" if run.state is None else f"goes on from step {state_step(run.state)}"
    again = "" if run.attempt == 1 else f" (attempt {run.attempt})"
    Events(session).add(
        job, f"{run_title(run.purpose, run.index, run.seed)} {how}{again}.", run_id=run.id
    )
    return Assignment(job, run, lease, files, base_model)
