"""Queries on runs. A run changes state by one guarded UPDATE whose row count is checked; a
worker's writes are guarded by its fence.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session, defer

from shared.db.clock import db_now
from shared.db.events import Events
from shared.db.guards import can_move_job, can_move_run
from shared.db.metrics import Metrics, Point
from shared.db.models import Checkpoints
from shared.db.queue_turns import CLAIMABLE, list_owners_in_turn, take_turn
from shared.db.session import updates_one_row
from shared.db.tables import Job, Run
from shared.domain.errors import Reason, RunNotFound
from shared.domain.moves import (
    FINISH_RUN,
    GIVE_BACK_RUN,
    START_JOB,
    WAIT_AT_RUNG,
    RunMove,
)
from shared.domain.naming import parse_state_step
from shared.domain.states import JobState, Purpose, RunState

# order within a job: what decides the recipe, what is quickly known, the seeds
PURPOSE_ORDER = case(
    {purpose.value: place for place, purpose in enumerate(Purpose)}, value=Run.purpose
)


QUEUED_OR_PAUSED = case(
    (Run.pause_requested.is_(True), RunState.PAUSED.value), else_=RunState.QUEUED.value
)
"""State of an open run that is no longer in training."""


class FenceLost(Exception):
    """The run no longer belongs to this worker: its lease expired and another worker or the
    sweeper took it. Nothing more may be written.
    """


class Lease(NamedTuple):
    """A claimed run: the fence that guards every later write of its worker."""

    run_id: str
    fence: int


class RunFlags(NamedTuple):
    """Cancel and pause flags of a run in training."""

    cancel: bool
    pause: bool


class Runs:
    def __init__(self, session: Session) -> None:
        self._session = session

    # reading

    def get(self, job_id: str, run_id: str) -> Run:
        run = self._session.scalars(
            select(Run).where(Run.id == run_id, Run.job_id == job_id)
        ).one_or_none()
        if run is None:
            raise RunNotFound(f"Job {job_id} has no run {run_id[:80]!r}.", param="run_id")
        return run

    def list_by_job(
        self, job_id: str, *, purpose: str = Purpose.MAIN, with_results: bool = False
    ) -> Sequence[Run]:
        """List the runs by index. ``with_results`` also loads the confusion matrices, which may
        be large.
        """
        query = select(Run).where(Run.job_id == job_id, Run.purpose == purpose).order_by(Run.index)
        return self._session.scalars(
            query if with_results else query.options(defer(Run.result, raiseload=True))
        ).all()

    def list_by_ids(self, run_ids: Sequence[str]) -> Sequence[Run]:
        """List those of the runs that exist, by index, without their results."""
        query = select(Run).where(Run.id.in_(run_ids)).order_by(Run.index)
        return self._session.scalars(query.options(defer(Run.result, raiseload=True))).all()

    def list_ids_by_job(self, job_id: str) -> Sequence[str]:
        """List the ids of the job's runs, whatever their purpose."""
        return self._session.scalars(select(Run.id).where(Run.job_id == job_id)).all()

    # the life of a run with its worker

    def claim_next(
        self, worker: str, lease_seconds: float, *, preferred_run_id: str | None = None
    ) -> Lease | None:
        """Claim a run of the owner whose turn it is: the preferred one if it is among those,
        else the first of the oldest job. None if no run is queued.

        A run without a resume state starts over, one with a state continues after the state's
        step. Later records of an earlier attempt are deleted in the same transaction.
        """
        for owner_id in list_owners_in_turn(self._session):
            for run_id, state in self._list_candidates(owner_id, preferred_run_id):
                lease = self.claim_run(run_id, state, worker, lease_seconds)
                if lease is not None:
                    take_turn(self._session, owner_id)
                    return lease
        return None

    def claim_run(
        self, run_id: str, state: str | None, worker: str, lease_seconds: float
    ) -> Lease | None:
        """Claim this run, unless it is no longer queued or its resume state has changed."""
        reached = 0 if state is None else parse_state_step(state)
        change = (
            update(Run)
            .where(Run.id == run_id, *CLAIMABLE, Run.state.is_not_distinct_from(state))
            .values(
                status=RunState.RUNNING,
                fence=Run.fence + 1,
                attempt=Run.attempt + 1,
                lease_until=db_now() + lease_seconds,
                worker=worker,
                started_at=db_now() if state is None else Run.started_at,
                **(_INITIAL_VALUES if state is None else {"step": reached}),
            )
            .returning(Run.fence)
        )
        fence = self._session.scalar(change)
        if fence is None:
            return None
        Metrics(self._session).delete_points(run_id, after_step=None if state is None else reached)
        Checkpoints(self._session).delete_by_run(run_id)
        Events(self._session).delete_metrics(run_id, after_step=reached)
        return Lease(run_id, fence)

    def _list_candidates(
        self, owner_id: str, preferred_run_id: str | None
    ) -> Sequence[tuple[str, str | None]]:
        """Select ids and states of an owner's runs: the oldest job first, and within it pilots,
        baselines, main runs and a distillation.
        """
        claimable = select(Run.id, Run.state).where(*CLAIMABLE, Run.owner_id == owner_id)
        # two workers at the same moment must not select the same row and leave one without work
        oldest = (
            claimable.order_by(Run.job_id, PURPOSE_ORDER, Run.index)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        preferred = (
            []
            if preferred_run_id is None
            else self._session.execute(claimable.where(Run.id == preferred_run_id)).all()
        )
        return [(run_id, state) for run_id, state in [*preferred, *self._session.execute(oldest)]]

    def record_progress(
        self, lease: Lease, lease_seconds: float, points: Sequence[Point] = (), **latest: Any
    ) -> bool:
        """Store points and the run's latest values and renew the lease in one go; return
        whether the run is to be cancelled.

        Raises FenceLost if the run belongs to another worker.
        """
        change = (
            self._build_fenced_update(lease)
            .values(lease_until=db_now() + lease_seconds, **latest)
            .returning(Run.cancel_requested)
        )
        cancel: bool | None = self._session.scalar(change)
        if cancel is None:
            raise FenceLost(lease.run_id)
        Metrics(self._session).insert_points(lease.run_id, points)
        return cancel

    def get_flags(self, leases: Sequence[Lease]) -> dict[str, RunFlags]:
        """Read the flags by run id; runs of other workers are left out."""
        query = select(Run.id, Run.fence, Run.cancel_requested, Run.pause_requested).where(
            Run.id.in_([hold.run_id for hold in leases]), Run.status == RunState.RUNNING
        )
        return {
            run_id: RunFlags(*flags)
            for run_id, fence, *flags in self._session.execute(query)
            if (run_id, fence) in leases
        }

    def finish_run(
        self, lease: Lease, status: RunState, *, error: Reason | None = None, **values: Any
    ) -> None:
        """Record how the run ended. Raises FenceLost."""
        change = self._build_fenced_update(lease, FINISH_RUN).values(
            status=status, error=error, lease_until=None, finished_at=db_now(), **values
        )
        self._execute_fenced(change, lease)

    def pause_run(self, lease: Lease, state: str, **values: Any) -> None:
        """Pause the run at its ``stop_step`` until it continues from ``state`` or is discarded.
        Raises FenceLost.

        Resuming its job does not move it: it waits for the early discard.
        """
        moved = {"status": RunState.PAUSED, "pause_requested": False, "lease_until": None}
        change = self._build_fenced_update(lease, WAIT_AT_RUNG).values(
            state=state, **moved, **values
        )
        self._execute_fenced(change, lease)

    def requeue_run(self, lease: Lease, **values: Any) -> None:
        """Queue the run again at once, because the worker is leaving or its trainer died.
        Raises FenceLost.

        A run that is to be cancelled is cancelled instead; a run of a paused job is paused.
        """
        cancelled = Run.cancel_requested.is_(True)
        change = self._build_fenced_update(lease, GIVE_BACK_RUN).values(
            status=case((cancelled, RunState.CANCELLED.value), else_=QUEUED_OR_PAUSED),
            finished_at=case((cancelled, db_now()), else_=None),
            fence=Run.fence + 1,
            lease_until=None,
            enqueued_at=None,
            **values,
        )
        self._execute_fenced(change, lease)

    def _build_fenced_update(self, lease: Lease, move: RunMove | None = None) -> Any:
        guard = Run.status == RunState.RUNNING if move is None else can_move_run(move)
        return update(Run).where(Run.id == lease.run_id, Run.fence == lease.fence, guard)

    def _execute_fenced(self, statement: Any, lease: Lease) -> None:
        if not updates_one_row(self._session, statement):
            raise FenceLost(lease.run_id)

    def start_job(self, run_id: str) -> Job:
        """Move the run's job from queued to running."""
        job_id = select(Run.job_id).where(Run.id == run_id).scalar_subquery()
        self._session.execute(
            update(Job)
            .where(Job.id == job_id, can_move_job(START_JOB))
            .values(status=JobState.RUNNING, started_at=func.coalesce(Job.started_at, db_now()))
        )
        return self._session.scalars(select(Job).where(Job.id == job_id)).one()


# values that an attempt that starts over has not reached yet
_INITIAL_VALUES: dict[str, Any] = {
    "step": 0,
    "train_loss": None,
    "validation_score": None,
    "test_score": None,
    "degenerate": None,
    "best_step": None,
    "trained_tokens": None,
    "weights_sha256": None,
    "result": None,
    "diagnosis": [],
    "error": None,
    "finished_at": None,
    "artifacts": None,
}
