"""Claiming more runs of a job beside a claimed one, to be trained side by side. Each is held, fenced and leased as if it were alone."""

from collections.abc import Sequence
from math import ceil

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from shared.db.runs import CLAIMABLE, Hold, Runs
from shared.db.tables import Run
from shared.domain.naming import state_step
from shared.domain.states import Purpose, RunState

_ALIKE = ("fold", "stop_step", "stack_limit")


class Companions:
    """Of a run that ``worker`` has just claimed, in the same transaction."""

    def __init__(self, session: Session, worker: str, lease: float) -> None:
        self._session = session
        self._worker = worker
        self._lease = lease

    def claim(self, first: Hold, *, most: int, slots: int) -> list[Hold]:
        """Take queued runs that can be trained side by side with ``first``, by index, until they are ``most`` with it.

        They are shared out among the slots of the worker that train nothing: one slot does not take them all while its neighbour
        has nothing to do.
        """
        run = self._session.get_one(Run, first.run_id)
        most = min(most, run.stack_limit or most)
        if most == 1 or run.purpose == Purpose.BASELINES:
            return []
        alike = self._alike(run)
        share = ceil((len(alike) + 1) / self._idle(slots))
        return self._take(alike, min(most, share) - 1)

    def _alike(self, run: Run) -> list[str]:
        """Ids of queued runs that differ from it in their seeds alone."""
        same = [getattr(Run, name).is_not_distinct_from(getattr(run, name)) for name in _ALIKE]
        of_job = (
            Run.job_id == run.job_id,
            Run.purpose == run.purpose,
        )  # equal, not just alike: PostgreSQL has an index for that
        query = (
            select(Run.id, Run.recipe, Run.state)
            .where(*of_job, *same, *CLAIMABLE)
            .order_by(Run.index)
        )
        return [
            run_id
            for run_id, recipe, state in self._session.execute(query)  # PostgreSQL compares no JSON
            if recipe == run.recipe and _reached(state) == _reached(run.state)
        ]

    def _idle(self, slots: int) -> int:
        """Slots of this worker that train nothing, this one included."""
        machine = f"{self._worker.rpartition(':')[0]}:"
        others = (Run.status == RunState.RUNNING, Run.worker != self._worker)
        neighbours = Run.worker.startswith(machine, autoescape=True)
        busy = self._session.scalar(
            select(func.count(distinct(Run.worker))).where(*others, neighbours)
        )
        return max(1, slots - (busy or 0))

    def _take(self, run_ids: Sequence[str], most: int) -> list[Hold]:
        # what another worker is taking at this moment is left to it, as in Runs.claim
        free = (
            select(Run.id, Run.state)
            .where(Run.id.in_(run_ids), *CLAIMABLE)
            .order_by(Run.index)
            .limit(most)
        )
        rows = self._session.execute(free.with_for_update(skip_locked=True)).all()
        runs = Runs(self._session)
        holds = [runs.take(run_id, state, self._worker, self._lease) for run_id, state in rows]
        return [hold for hold in holds if hold is not None]


def _reached(state: str | None) -> int | None:
    return None if state is None else state_step(state)
