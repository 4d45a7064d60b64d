"""Claiming: the runs that a slot trains next, as many of one job as it may train side by side."""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.runs import Hold, Runs
from shared.db.stack_claim import Companions
from shared.db.tables import File, Job, Model
from shared.domain.naming import FINE_TUNED, run_title, state_step
from worker.context import WorkerParts
from worker.db_retry import patiently
from worker.runs.assignment import Assignment

log = logging.getLogger(__name__)


def claim(parts: WorkerParts, prefer: str | None) -> list[Assignment]:
    """The preferred run or the oldest, and queued ones that differ from it in their seeds alone; empty when nothing is queued."""
    assignments = patiently(parts.database, lambda session: _claimed(session, parts, prefer))
    for assignment in assignments:
        log.info("run_claimed run=%s attempt=%s", assignment.run.id, assignment.run.attempt)
    return assignments


def _claimed(session: Session, parts: WorkerParts, prefer: str | None) -> list[Assignment]:
    lease, slots = parts.settings.lease_seconds, parts.settings.worker_slots
    first = Runs(session).claim(parts.name, lease, prefer=prefer)
    if first is None:
        return []
    more = Companions(session, parts.name, lease).claim(first, most=parts.stack, slots=slots)
    job = Runs(session).job_started(first.run_id)
    named = [job.training_file, job.validation_file, job.test_file]
    files = session.scalars(
        select(File).where(File.id.in_([name for name in named if name is not None]))
    ).all()
    base = session.get(Model, job.model) if job.model.startswith(FINE_TUNED) else None
    known = {file.id: file for file in files}
    return [_assignment(session, job, hold, known, base) for hold in (first, *more)]


def _assignment(
    session: Session, job: Job, hold: Hold, files: dict[str, File], base: Model | None
) -> Assignment:
    run = Runs(session).get(job.id, hold.run_id)
    session.refresh(run)
    how = "started" if run.state is None else f"goes on from step {state_step(run.state)}"
    again = "" if run.attempt == 1 else f" (attempt {run.attempt})"
    Events(session).add(
        job, f"{run_title(run.purpose, run.index, run.seed)} {how}{again}.", run_id=run.id
    )
    return Assignment(job, run, hold, files, base)
