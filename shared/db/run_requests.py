"""Requests to cancel, pause, resume or retry runs. A run in training gets a flag that its slot
reads within half a second; other runs change state at once.
"""

from collections.abc import Sequence

from sqlalchemy import and_, case, or_, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.guards import can_move_run
from shared.db.jobs import RUN_WAKE
from shared.db.session import notify_after_commit
from shared.db.tables import Job, Run
from shared.domain.moves import CANCEL_RUN, PAUSE_RUN, RESUME_RUN, RETRY_RUN
from shared.domain.states import RunState

_IS_RUNNING = Run.status == RunState.RUNNING


class RunRequests:
    def __init__(self, session: Session) -> None:
        self._session = session

    def cancel_runs(self, job_id: str, run_id: str | None = None) -> None:
        """Cancel all open runs of the job, or this one; queued and waiting runs end at once."""
        lock_runs(self._session, job_id)
        these = (
            Run.job_id == job_id if run_id is None else and_(Run.job_id == job_id, Run.id == run_id)
        )
        # one statement: between two, a run released by its worker could slip through
        self._session.execute(
            update(Run)
            .where(these, or_(_IS_RUNNING, can_move_run(CANCEL_RUN)))
            .values(
                cancel_requested=True,
                status=case((_IS_RUNNING, RunState.RUNNING.value), else_=RunState.CANCELLED.value),
                finished_at=case((_IS_RUNNING, Run.finished_at), else_=db_now()),
            )
        )

    def pause_runs(self, job_id: str) -> None:
        """Pause the queued runs at once; runs held for another stage already wait."""
        lock_runs(self._session, job_id)
        moves = and_(or_(_IS_RUNNING, can_move_run(PAUSE_RUN)), Run.held.is_(False))
        status = case((_IS_RUNNING, RunState.RUNNING.value), else_=RunState.PAUSED.value)
        self._session.execute(
            update(Run)
            .where(Run.job_id == job_id, moves)
            .values(pause_requested=True, status=status)
        )

    def resume_runs(self, job_id: str) -> None:
        """Queue the paused runs again and notify the queue. A run that has not stopped yet
        continues.
        """
        lock_runs(self._session, job_id)
        waits = can_move_run(RESUME_RUN)
        change = (
            update(Run)
            .where(Run.job_id == job_id, Run.pause_requested.is_(True))
            .values(
                pause_requested=False,
                status=case((waits, RunState.QUEUED.value), else_=Run.status),
                enqueued_at=None,
            )
            .returning(Run.id, Run.status)
        )
        queued = [
            run_id for run_id, status in self._session.execute(change) if status == RunState.QUEUED
        ]
        self._notify_runs(sorted(queued))

    def retry_run(self, run: Run) -> None:
        """Queue a failed or cancelled run again as if it had never been tried; leave any other."""
        again = {
            "status": RunState.QUEUED,
            "cancel_requested": False,
            "pause_requested": False,
            "state": None,
        }
        untried = {"deaths": 0, "death_step": None, "stack_limit": None, "enqueued_at": None}
        nothing = {"finished_at": None, "error": None, "artifacts": None, "fine_tuned_model": None}
        change = (
            update(Run)
            .where(Run.id == run.id, can_move_run(RETRY_RUN))
            .values(**again, **untried, **nothing)
            .returning(Run.id)
        )
        self._notify_runs(self._session.scalars(change).all())

    def _notify_runs(self, run_ids: Sequence[str]) -> None:
        for run_id in run_ids:
            notify_after_commit(self._session, RUN_WAKE, run_id)


def lock_runs(session: Session, job_id: str) -> None:
    """Lock all runs of the job until the transaction ends.

    Workers write to runs before they write to their job, so every transaction takes locks in
    this order; in any other order two of them could deadlock.
    """
    session.execute(
        select(Run.id).where(Run.job_id == job_id).order_by(Run.index).with_for_update()
    ).all()


def lock_job(session: Session, job_id: str) -> Job:
    """Lock a job's runs and then the job until the transaction ends; return its current row."""
    lock_runs(session, job_id)
    query = select(Job).where(Job.id == job_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def is_in_training(session: Session, job_id: str, run_id: str | None = None) -> bool:
    """Return whether the run, or any run of the job, is in training."""
    query = select(Run.id).where(Run.job_id == job_id, _IS_RUNNING)
    if run_id is not None:
        query = query.where(Run.id == run_id)
    return session.scalar(query.limit(1)) is not None
