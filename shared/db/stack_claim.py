"""Claims of further runs of a job, to be trained in one stack with a claimed run. Each has a
fence and a lease of its own.
"""

from collections.abc import Sequence
from math import ceil

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from shared.db.queue_turns import CLAIMABLE
from shared.db.runs import Lease, Runs
from shared.db.tables import Run
from shared.domain.naming import parse_state_step
from shared.domain.states import Purpose, RunState

_MATCHING_COLUMNS = ("fold", "stop_step", "stack_limit")


class StackClaimer:
    """Claims for the worker and the transaction that have just claimed a first run."""

    def __init__(self, session: Session, worker: str, lease_seconds: float) -> None:
        self._session = session
        self._worker = worker
        self._lease_seconds = lease_seconds

    def claim_runs(self, first_lease: Lease, *, max_size: int, slot_count: int) -> list[Lease]:
        """Claim queued runs that can be trained with the first run, by index, until the stack
        has ``max_size`` runs.

        Runs are shared among the worker's idle slots, so that one slot does not take them all
        while another has nothing to do.
        """
        run = self._session.get_one(Run, first_lease.run_id)
        max_size = min(max_size, run.stack_limit or max_size)
        if max_size == 1 or run.purpose == Purpose.BASELINES:
            return []
        alike = self._list_matching_run_ids(run)
        share = ceil((len(alike) + 1) / self._count_idle_slots(slot_count))
        return self._claim_free_runs(alike, min(max_size, share) - 1)

    def _list_matching_run_ids(self, run: Run) -> list[str]:
        """Select queued runs that differ from ``run`` in their seeds alone."""
        same = [
            getattr(Run, name).is_not_distinct_from(getattr(run, name))
            for name in _MATCHING_COLUMNS
        ]
        of_job = (
            Run.job_id == run.job_id,
            Run.purpose == run.purpose,
        )  # equality, not LIKE: PostgreSQL has an index for it
        query = (
            select(Run.id, Run.recipe, Run.state)
            .where(*of_job, *same, *CLAIMABLE)
            .order_by(Run.index)
        )
        return [
            run_id
            # PostgreSQL cannot compare JSON values
            for run_id, recipe, state in self._session.execute(query)
            if recipe == run.recipe and _get_state_step(state) == _get_state_step(run.state)
        ]

    def _count_idle_slots(self, slot_count: int) -> int:
        """Count the idle slots of this worker, including this one."""
        machine = f"{self._worker.rpartition(':')[0]}:"
        others = (Run.status == RunState.RUNNING, Run.worker != self._worker)
        neighbors = Run.worker.startswith(machine, autoescape=True)
        busy = self._session.scalar(
            select(func.count(distinct(Run.worker))).where(*others, neighbors)
        )
        return max(1, slot_count - (busy or 0))

    def _claim_free_runs(self, run_ids: Sequence[str], limit: int) -> list[Lease]:
        # skip what another worker is claiming at the moment, as in Runs.claim
        free = (
            select(Run.id, Run.state)
            .where(Run.id.in_(run_ids), *CLAIMABLE)
            .order_by(Run.index)
            .limit(limit)
        )
        rows = self._session.execute(free.with_for_update(skip_locked=True)).all()
        runs = Runs(self._session)
        holds = [
            runs.claim_run(run_id, state, self._worker, self._lease_seconds)
            for run_id, state in rows
        ]
        return [hold for hold in holds if hold is not None]


def _get_state_step(state: str | None) -> int | None:
    return None if state is None else parse_state_step(state)
