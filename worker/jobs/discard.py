"""The rung of an early discard, once every run waits or has ended: the best go on, the others
are discarded.
"""

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.domain.early_discard import Waiting, kept, outcome
from shared.domain.states import RunState


def needs_discard_decision(job: Job) -> bool:
    return job.early_discard is not None and "kept" not in job.early_discard


def decide_early_discard(session: Session, job_id: str, fence: int) -> list[str]:
    """Returns the ids of the discarded runs, whose states the caller deletes after the commit.
    Raises FenceLost.
    """
    job = session.get_one(Job, job_id, with_for_update=True)
    assert job.early_discard is not None, "nothing is to be decided"
    runs = Runs(session).of_job(job_id, results=True)
    paused = {run.index: run for run in runs if run.status == RunState.PAUSED}
    waiting = [_build_waiting_run(run) for run in paused.values()]
    chosen = kept(waiting, job.early_discard["keep"])
    steps = [run.stop_step for run in paused.values()]
    plan = {**job.early_discard, "at_step": steps[0] if steps else None, **outcome(waiting, chosen)}
    Jobs(session).moved_on(job_id, fence, early_discard=plan)
    gone = [run.id for index, run in paused.items() if index not in chosen]
    stages = Stages(session)
    stages.resume([paused[index].id for index in chosen])
    stages.discard(gone)
    Events(session).add(job, _describe_decision(plan, len(waiting), len(runs)))
    return gone


def _build_waiting_run(run: Run) -> Waiting:
    rung = (run.result or {})["rung"]
    return Waiting(run.index, rung["score"], rung["degenerate"])


def _describe_decision(plan: dict[str, object], waiting: int, runs: int) -> str:
    indices = plan["kept"]
    assert isinstance(indices, list)
    if not waiting:
        return f"Early discard: none of the {runs} runs came to the step of the decision."
    names = ", ".join(str(index) for index in indices)
    return (
        f"Early discard at step {plan['at_step']}: of {waiting} runs the best "
        f"{len(indices)} by validation score go on (run {names}); "
        f"{waiting - len(indices)} are discarded."
    )
