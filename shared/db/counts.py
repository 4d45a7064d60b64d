"""Counts of runs: the progress of jobs and the queue before them."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from shared.db.tables import Run


class StateCount(NamedTuple):
    """Number of a job's runs of one purpose in one state, with their steps."""

    job_id: str
    purpose: str
    state: str
    runs: int
    degenerate: int
    steps_done: int
    steps_total: int


def count_runs_by_state(session: Session, job_ids: Sequence[str]) -> list[StateCount]:
    """Count the runs of several jobs at once."""
    degenerate = func.sum(case((Run.degenerate.is_(True), 1), else_=0))
    group = (Run.job_id, Run.purpose, Run.status)
    query = select(*group, func.count(), degenerate, func.sum(Run.step), func.sum(Run.total_steps))
    # PostgreSQL returns sums of bigints as Decimal
    return [
        StateCount(job, purpose, state, *(int(number) for number in numbers))
        for job, purpose, state, *numbers in session.execute(
            query.where(Run.job_id.in_(job_ids)).group_by(*group)
        )
    ]
