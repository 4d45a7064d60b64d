"""Runs counted: how far jobs are, and how many wait before them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from shared.db.tables import Run
from shared.domain.states import RunState


class StateCount(NamedTuple):
    """How many runs of a job and a purpose are in one state, and their steps."""

    job_id: str
    purpose: str
    state: str
    runs: int
    degenerate: int
    steps_done: int
    steps_total: int


def state_counts(session: Session, job_ids: Sequence[str]) -> list[StateCount]:
    """The runs of several jobs at once."""
    degenerate = func.sum(case((Run.degenerate.is_(True), 1), else_=0))
    group = (Run.job_id, Run.purpose, Run.status)
    query = select(*group, func.count(), degenerate, func.sum(Run.step), func.sum(Run.total_steps))
    # sums of big integers come back as Decimal from PostgreSQL
    return [
        StateCount(job, purpose, state, *(int(number) for number in numbers))
        for job, purpose, state, *numbers in session.execute(
            query.where(Run.job_id.in_(job_ids)).group_by(*group)
        )
    ]


def queued_before(session: Session, job_id: str) -> int:
    """Queued runs of older jobs: what has to start before the first of this job's does."""
    waiting = (Run.status == RunState.QUEUED, Run.held.is_(False), Run.job_id < job_id)
    return session.scalar(select(func.count()).where(*waiting)) or 0
