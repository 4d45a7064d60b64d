"""Decide a job's early discard once every run waits or has ended."""

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.early_discard import DecidedDiscard, WaitingRun, decide_discard
from shared.domain.states import RunState
from shared.domain.wording import choose_verb, format_count
from shared.metrics.run_result import RungResult


def needs_discard_decision(job: Job) -> bool:
    """Return whether the job has an early discard that is not decided yet."""
    return job.early_discard is not None and not isinstance(job.early_discard, DecidedDiscard)


def decide_early_discard(session: Session, job_id: str, fence: int) -> list[str]:
    """Queue the best waiting runs to continue, and discard the others.

    Returns the ids of the discarded runs, whose states the caller deletes after the commit.
    Raises FenceLost.
    """
    job = session.get_one(Job, job_id, with_for_update=True)
    assert job.early_discard is not None, "the job has no early discard"
    runs = Runs(session).list_by_job(job_id, with_results=True)
    paused = {run.index: run for run in runs if run.status == RunState.PAUSED}
    waiting = [_build_waiting_run(run) for run in paused.values()]
    at_step = next((run.stop_step for run in paused.values()), None)
    decided = decide_discard(job.early_discard, waiting, at_step)
    JobAdvances(session).advance_to_stage(job_id, fence, early_discard=decided)
    discarded = [run.id for index, run in paused.items() if index not in decided.kept]
    stages = Stages(session)
    stages.resume_runs([paused[index].id for index in decided.kept])
    stages.discard_runs(discarded)
    Events(session).add(job, _describe_decision(decided, len(waiting), len(runs)))
    return discarded


def _build_waiting_run(run: Run) -> WaitingRun:
    assert isinstance(run.result, RungResult), "a run that waits has a score at its rung"
    return WaitingRun(run.index, run.result.rung.score, run.result.rung.degenerate)


def _describe_decision(decided: DecidedDiscard, waiting_count: int, run_count: int) -> str:
    kept_indices = decided.kept
    if not waiting_count:
        return f"Early discard: none of {format_count(run_count, 'run')} reached the decision step."
    discarded = waiting_count - len(kept_indices)
    indices = ", ".join(str(index) for index in kept_indices)
    return (
        f"Early discard at step {decided.at_step}: the best {len(kept_indices)} of "
        f"{format_count(waiting_count, 'run')} by validation score "
        f"{choose_verb(len(kept_indices), 'continues', 'continue')} (index {indices}); "
        f"{discarded} {choose_verb(discarded, 'is', 'are')} discarded."
    )
