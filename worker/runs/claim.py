"""Claiming the runs that a slot trains next: one, or a stack of seeds of one job."""

import logging

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.files import files_of_job
from shared.db.models import Models
from shared.db.runs import Lease, Runs
from shared.db.stack_claim import StackClaimer
from shared.db.tables import File, Job, Model
from shared.domain.naming import FINE_TUNED_PREFIX, format_run_title, parse_state_step
from worker.context import WorkerContext
from worker.db_retry import write_with_retry
from worker.runs.assignment import Assignment

log = logging.getLogger(__name__)


def claim_runs(context: WorkerContext, preferred_run_id: str | None) -> list[Assignment]:
    """Claim a run of the owner whose turn it is, and runs to train with it.

    Those runs differ from the first in their seeds only. Empty when nothing is queued.
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
    lease_seconds, slots = context.settings.lease_seconds, context.settings.worker_slots
    first = Runs(session).claim_next(context.name, lease_seconds, preferred_run_id=preferred_run_id)
    if first is None:
        return []
    others = StackClaimer(session, context.name, lease_seconds).claim_runs(
        first, max_size=context.stack_size, slot_count=slots
    )
    job = Runs(session).start_job(first.run_id)
    files = {file.id: file for file in files_of_job(session, job)}
    base = None
    if job.model.startswith(FINE_TUNED_PREFIX):
        base = Models(session, job.owner_id).find_base_model(job)
    return [_build_assignment(session, job, lease, files, base) for lease in (first, *others)]


def _build_assignment(
    session: Session, job: Job, lease: Lease, files: dict[str, File], base_model: Model | None
) -> Assignment:
    run = Runs(session).get(job.id, lease.run_id)
    session.refresh(run)
    title = format_run_title(run.purpose, run.index, run.seed)
    action = (
        "started" if run.state is None else f"continues from step {parse_state_step(run.state)}"
    )
    attempt = "" if run.attempt == 1 else f" (attempt {run.attempt})"
    Events(session).add(job, f"{title} {action}{attempt}.", run_id=run.id)
    teachers = Runs(session).list_by_ids(run.teachers or [])
    return Assignment(job, run, lease, files, base_model, teachers)
