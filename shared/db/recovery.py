"""Recovery of runs whose worker was lost, or whose notification was not heard."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.guards import can_move_run
from shared.db.job_advances import JobAdvances
from shared.db.runs import PURPOSE_ORDER, QUEUED_OR_PAUSED
from shared.db.session import Database
from shared.db.tables import Run
from shared.domain.moves import GIVE_BACK_RUN
from shared.domain.states import RunState


class LostRun(NamedTuple):
    """A run taken back after its lease expired, and its new state."""

    run_id: str
    job_id: str
    state: str


class RunRecovery:
    """Changes to runs that the sweeper makes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def release_expired_leases(self, *, all_leases: bool = False) -> list[LostRun]:
        """Queue the runs whose worker was lost, or cancel them where that was requested.

        ``all_leases`` takes every lease: for the start of ``evenkeel up``, whose database no
        other process uses.
        """
        lost = [can_move_run(GIVE_BACK_RUN)] + ([] if all_leases else [Run.lease_until < db_now()])
        cancelled = (
            update(Run)
            .where(*lost, Run.cancel_requested.is_(True))
            .values(
                status=RunState.CANCELLED,
                fence=Run.fence + 1,
                lease_until=None,
                finished_at=db_now(),
            )
        )
        queued = (
            update(Run)
            .where(*lost, Run.cancel_requested.is_(False))
            .values(
                status=QUEUED_OR_PAUSED, fence=Run.fence + 1, lease_until=None, enqueued_at=None
            )
        )
        returning = (Run.id, Run.job_id, Run.status)
        changes = (cancelled.returning(*returning), queued.returning(*returning))
        return [LostRun(*row) for change in changes for row in self._session.execute(change)]

    def list_ids_to_notify(self, requeue_seconds: float, limit: int) -> Sequence[str]:
        """List queued runs whose worker was never notified, or not for ``requeue_seconds``;
        oldest first.
        """
        unheard = Run.enqueued_at.is_(None) | (Run.enqueued_at < db_now() - requeue_seconds)
        query: Select[str] = select(Run.id).where(
            Run.status == RunState.QUEUED, Run.held.is_(False), unheard
        )
        return self._session.scalars(
            query.order_by(Run.job_id, PURPOSE_ORDER, Run.index).limit(limit)
        ).all()

    def mark_notified(self, run_ids: Sequence[str]) -> None:
        self._session.execute(update(Run).where(Run.id.in_(run_ids)).values(enqueued_at=db_now()))


def release_all_leases(url: str) -> int:
    """Release what a killed ``evenkeel up`` had claimed, without waiting for leases to expire;
    return the number of runs.
    """
    database = Database(url)
    try:
        with database.write() as session:
            JobAdvances(session).release_leases()
            return len(RunRecovery(session).release_expired_leases(all_leases=True))
    finally:
        database.dispose()
