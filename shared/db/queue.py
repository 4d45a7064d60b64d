"""Queue depth and runs in training, over all jobs."""

from typing import NamedTuple

from sqlalchemy import func, select
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


def count_waiting_runs(session: Session) -> int:
    """Queued runs that are not held for a later stage of their job."""
    query = select(func.count()).where(Run.status == RunState.QUEUED, Run.held.is_(False))
    return session.scalar(query) or 0


def count_paused_runs(session: Session) -> int:
    return session.scalar(select(func.count()).where(Run.status == RunState.PAUSED)) or 0


def list_runs_in_training(session: Session) -> list[RunInTraining]:
    columns = (Run.id, Run.job_id, Run.worker, Run.device, Run.step, Run.total_steps)
    query = select(*columns).where(Run.status == RunState.RUNNING).order_by(Run.id)
    return [RunInTraining(*row) for row in session.execute(query)]
