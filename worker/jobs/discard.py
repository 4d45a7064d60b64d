"""Decide a job's early discard once every run waits or has ended."""

from typing import cast

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.early_discard import (
    DecidedDiscard,
    DiscardSettings,
    WaitingRun,
    build_outcome,
    select_kept_runs,
)
from shared.domain.states import RunState


def needs_discard_decision(job: Job) -> bool:
    """Return whether the job has an early discard that is not decided yet."""
    return job.early_discard is not None and "kept" not in job.early_discard


def decide_early_discard(session: Session, job_id: str, fence: int) -> list[str]:
    """Queue the best waiting runs to continue, and discard the others.

    Returns the ids of the discarded runs, whose states the caller deletes after the commit.
    Raises FenceLost.
    """
    job = session.get_one(Job, job_id, with_for_update=True)
    assert job.early_discard is not None, "the job has no early discard"
    settings = cast(DiscardSettings, job.early_discard)
    runs = Runs(session).list_by_job(job_id, with_results=True)
    paused = {run.index: run for run in runs if run.status == RunState.PAUSED}
    waiting = [_build_waiting_run(run) for run in paused.values()]
    kept_indices = select_kept_runs(waiting, settings["keep"])
    decided: DecidedDiscard = {
        **settings,
        "at_step": next((run.stop_step for run in paused.values()), None),
        **build_outcome(waiting, kept_indices),
    }
    Jobs(session).advance_to_stage(job_id, fence, early_discard=decided)
    discarded = [run.id for index, run in paused.items() if index not in kept_indices]
    stages = Stages(session)
    stages.resume_runs([paused[index].id for index in kept_indices])
    stages.discard_runs(discarded)
    Events(session).add(job, _describe_decision(decided, len(waiting), len(runs)))
    return discarded


def _build_waiting_run(run: Run) -> WaitingRun:
    rung = (run.result or {})["rung"]
    return WaitingRun(run.index, rung["score"], rung["degenerate"])


def _describe_decision(decided: DecidedDiscard, waiting_count: int, run_count: int) -> str:
    kept_indices = decided["kept"]
    if not waiting_count:
        return f"Early discard: none of the {run_count} runs reached the decision step."
    indices = ", ".join(str(index) for index in kept_indices)
    return (
        f"Early discard at step {decided['at_step']}: the best {len(kept_indices)} of "
        f"{waiting_count} runs by validation score continue (index {indices}); "
        f"{waiting_count - len(kept_indices)} are discarded."
    )
