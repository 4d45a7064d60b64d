"""Transitions of a job between stages: pilots, main runs, early discard.

Each happens in the transaction of the one worker that holds the job's fence
(``JobAdvances.claim_to_advance``), while none of the job's runs is in progress.
"""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.guards import can_move_run
from shared.db.jobs import RUN_WAKE
from shared.db.session import notify_after_commit
from shared.db.tables import Job, Run
from shared.domain import ids
from shared.domain.moves import CONTINUE_RUN, DISCARD_RUN, END_RUN_WITH_JOB
from shared.domain.states import Purpose, RunState
from shared.recipe.candidates import Candidate
from shared.recipe.pilots import FIRST_PILOT_SEED
from shared.recipe.value import ForeignRecipe, Recipe

DISTILLATION_SEED = FIRST_PILOT_SEED  # beyond the seeds that a request can give


def build_pilot_runs(
    job: Job,
    base_recipe: Recipe | ForeignRecipe,
    candidates: Sequence[Candidate],
    *,
    seeds: range,
    first_index: int,
    fold: int | None,
) -> list[Run]:
    """Create a run per candidate and number of a seed; the runs count from ``first_index``.

    Each candidate replaces the automatic values of ``base_recipe``.
    """
    tried = [(candidate, seed) for candidate in candidates for seed in seeds]
    return [
        Run(
            id=ids.make_run_id(),
            job_id=job.id,
            owner_id=job.owner_id,
            index=index,
            purpose=Purpose.PILOT,
            seed=FIRST_PILOT_SEED + seed,
            init_seed=FIRST_PILOT_SEED + seed,
            data_seed=FIRST_PILOT_SEED + seed,
            fold=fold,
            recipe=candidate.change_recipe(base_recipe),
            status=RunState.QUEUED,
            total_steps=candidate.max_steps,
            diagnosis=[],
        )
        for index, (candidate, seed) in enumerate(tried, start=first_index)
    ]


def build_distillation_run(job: Job, total_steps: int, *, index: int = 0) -> Run:
    """Create the run that distills the job's main runs; it is held until they have ended."""
    return Run(
        id=ids.make_run_id(),
        job_id=job.id,
        owner_id=job.owner_id,
        index=index,
        purpose=Purpose.DISTILLATION,
        seed=DISTILLATION_SEED,
        init_seed=DISTILLATION_SEED,
        data_seed=DISTILLATION_SEED,
        held=True,
        status=RunState.QUEUED,
        total_steps=total_steps,
        diagnosis=[],
    )


class Stages:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add_runs(self, runs: Sequence[Run]) -> None:
        """Store further runs of a job and notify the queue of those that may start."""
        self._session.add_all(runs)
        for run in runs:
            if not run.held:
                notify_after_commit(self._session, RUN_WAKE, run.id)

    def release_held_runs(self, job_id: str, total_steps: int, stop_step: int | None) -> None:
        """Store the resolved recipe and release the job's main runs."""
        held = update(Run).where(
            Run.job_id == job_id,
            Run.purpose == Purpose.MAIN,
            Run.held.is_(True),
            Run.status == RunState.QUEUED,
        )
        values = {
            "held": False,
            "total_steps": total_steps,
            "stop_step": stop_step,
            "enqueued_at": None,
        }
        self._notify_runs(self._session.scalars(held.values(values).returning(Run.id)).all())

    def release_distillation(self, run_id: str, recipe: Recipe, teachers: Sequence[str]) -> None:
        """Release a held distillation of these runs' mean prediction."""
        held = update(Run).where(
            Run.id == run_id, Run.held.is_(True), Run.status == RunState.QUEUED
        )
        values = {
            "held": False,
            "recipe": recipe,
            "teachers": list(teachers),
            "total_steps": recipe.max_steps,
            "enqueued_at": None,
        }
        self._notify_runs(self._session.scalars(held.values(values).returning(Run.id)).all())

    def release_first_runs(self, job: Job) -> None:
        """Release the runs that need no earlier stage: all but a distillation, or those before the
        main runs while pilots search the recipe. Runs that were cancelled meanwhile may be retried.
        """
        held = update(Run).where(
            Run.job_id == job.id, Run.held.is_(True), Run.purpose != Purpose.DISTILLATION
        )
        if job.resolved_recipe is None:
            held = held.where(Run.purpose != Purpose.MAIN)
        released = self._session.execute(
            held.values(held=False, enqueued_at=None).returning(Run.id, Run.status)
        )
        self._notify_runs([run_id for run_id, status in released if status == RunState.QUEUED])

    def resume_runs(self, run_ids: Sequence[str]) -> None:
        """Resume the paused runs to their ends."""
        paused = update(Run).where(Run.id.in_(run_ids), can_move_run(CONTINUE_RUN))
        values = {"status": RunState.QUEUED, "stop_step": None, "enqueued_at": None}
        self._notify_runs(self._session.scalars(paused.values(values).returning(Run.id)).all())

    def discard_runs(self, run_ids: Sequence[str]) -> None:
        paused = update(Run).where(Run.id.in_(run_ids), can_move_run(DISCARD_RUN))
        self._session.execute(
            paused.values(status=RunState.DISCARDED, state=None, finished_at=db_now())
        )

    def cancel_open_runs(self, job_id: str) -> None:
        """End a job that cannot continue and has no run in progress."""
        unmoved = update(Run).where(Run.job_id == job_id, can_move_run(END_RUN_WITH_JOB))
        self._session.execute(
            unmoved.values(status=RunState.CANCELLED, cancel_requested=True, finished_at=db_now())
        )

    def sum_trained_tokens(self, job_id: str) -> int | None:
        """Sum over all of the job's runs, pilots and discarded ones included."""
        total = self._session.scalar(
            select(func.sum(Run.trained_tokens)).where(Run.job_id == job_id)
        )
        return int(total) if total else None

    def _notify_runs(self, run_ids: Sequence[str]) -> None:
        for run_id in sorted(run_ids):
            notify_after_commit(self._session, RUN_WAKE, run_id)
