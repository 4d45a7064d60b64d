"""Queue depth and runs in training, of an owner and over all jobs."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from shared.db.tables import Run
from shared.domain.states import RunState


class RunInTraining(NamedTuple):
    run_id: str
    job_id: str
    worker: str | None
    device: str | None
    step: int
    total_steps: int


class QueueCounts(NamedTuple):
    """Runs that wait for a worker or are paused."""

    waiting: int
    """Of the owner."""
    paused: int
    """Of the owner."""
    total_waiting: int
    """Of all owners."""


def count_queue(session: Session, owner_id: str) -> QueueCounts:
    """Count the runs that wait; those held for a later stage of their job do not."""
    is_queued, is_own = Run.status == RunState.QUEUED, Run.owner_id == owner_id
    columns = (
        func.count().filter(is_queued, is_own),
        func.count().filter(Run.status == RunState.PAUSED, is_own),
        func.count().filter(is_queued),
    )
    waits = Run.status.in_((RunState.QUEUED, RunState.PAUSED))
    unheld = or_(Run.held.is_(False), Run.status == RunState.PAUSED)
    return QueueCounts(*session.execute(select(*columns).where(waits, unheld)).one())


def list_runs_in_training(session: Session, owner_id: str) -> list[RunInTraining]:
    columns = (Run.id, Run.job_id, Run.worker, Run.device, Run.step, Run.total_steps)
    query = select(*columns).where(Run.status == RunState.RUNNING, Run.owner_id == owner_id)
    return [RunInTraining(*row) for row in session.execute(query.order_by(Run.id))]


def list_busy_slots(session: Session) -> Sequence[str]:
    """List the slots that train runs of any owner."""
    query = select(Run.worker).where(Run.status == RunState.RUNNING, Run.worker.is_not(None))
    return [slot for slot in session.scalars(query.distinct()) if slot is not None]
