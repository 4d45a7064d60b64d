"""A run's last move: what it has made goes to the storage, then one transaction says how it ended, or that it starts over."""

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints
from shared.db.runs import Runs
from shared.db.tables import Checkpoint, Run
from shared.domain.errors import Reason
from shared.domain.ids import checkpoint_id
from shared.domain.naming import run_title, state_name
from shared.domain.states import Purpose, RunState
from worker.jobs.baselines import store_scores
from worker.runs.assignment import Assignment
from worker.runs.outcomes import (
    Died,
    Failed,
    Finished,
    Outcome,
    Paused,
    Scored,
    Stopped,
    StopReason,
    Unprepared,
)
from worker.trainer.process import Line

MAX_DEATHS = (
    3  # of the trainer of this run alone, at the same step: then the run itself is the cause
)
MAX_UNPREPARED = 5  # tries by machines that could not even begin
BEFORE_THE_FIRST_STEP = -1
_GIVEN_BACK = {
    StopReason.SHUTDOWN: "its worker is shutting down",
    StopReason.NO_ROOM: "its worker has no room on its disk for so many at a time",
    StopReason.BYSTANDER: "its trainer was killed, because another run did not stop when it was told to",
}


def record_end(session: Session, assignment: Assignment, outcome: Outcome | Unprepared) -> None:
    """The run's last move, in one transaction with its event. Raises FenceLost."""
    match outcome:
        case Finished():
            _succeed(session, assignment, outcome)
        case Paused(result) if result["step"] != assignment.run.stop_step:
            _suspend(session, assignment, result)
        case Paused():
            _pause_run(session, assignment, outcome)
        case Scored():
            store_scores(session, assignment, outcome)
        case Failed(reason):
            _fail(session, assignment, reason)
        case Stopped(why):
            _stop(session, assignment, why)
        case Died(step, words, company) if company > 1:
            _separate(session, assignment, step, words, company)
        case Died(step, words):
            _start_over(session, assignment, step, words, "trainer_died", MAX_DEATHS)
        case Unprepared(words):
            _start_over(
                session, assignment, BEFORE_THE_FIRST_STEP, words, "not_prepared", MAX_UNPREPARED
            )


def _stop(session: Session, assignment: Assignment, reason: StopReason) -> None:
    runs, run, hold = Runs(session), assignment.run, assignment.hold
    if reason is StopReason.TIME_LIMIT:
        message = "The run took longer than the service allows a run."
        _fail(session, assignment, Reason(code="time_limit", message=message, param=None))
        return
    if reason is StopReason.CANCELLED:
        runs.end(hold, RunState.CANCELLED)
        words = "was cancelled"
    elif reason is StopReason.PAUSED:
        runs.give_back(hold)
        words = "was stopped, because its job was paused"
    else:
        runs.give_back(hold)
        words = f"was queued again: {_GIVEN_BACK[reason]}"
    Events(session).add(assignment.job, f"{_title(run)} {words}.", level="warn", run_id=run.id)


def _succeed(session: Session, assignment: Assignment, outcome: Finished) -> None:
    run, result = assignment.run, outcome.result
    validation, test = result["validation"], result["test"]
    Runs(session).end(
        assignment.hold,
        RunState.SUCCEEDED,
        step=run.total_steps,
        validation_score=validation["score"],
        test_score=None if test is None else test["score"],
        degenerate=result["degenerate"],
        best_step=result["best_step"],
        trained_tokens=result["trained_tokens"],
        weights_sha256=result["weights_sha256"],
        result={"validation": validation, "test": test, "evidence": result["evidence"]},
        diagnosis=result["diagnosis"],
        artifacts=None if run.purpose == Purpose.PILOT else assignment.artifacts,
        deaths=0,
        death_step=None,
    )
    if run.purpose != Purpose.PILOT:
        Checkpoints(session).add(_checkpoint(run, result))
    score = "undefined" if validation["score"] is None else f"{validation['score']:.4f}"
    note = ", degenerate: no better than a constant answer" if result["degenerate"] else ""
    Events(session).add(
        assignment.job,
        f"{_title(run)} finished: validation {assignment.job.metric} {score} at step {result['best_step']}{note}.",
        level="warn" if result["degenerate"] else "info",
        run_id=run.id,
    )


def _checkpoint(run: Run, result: Line) -> Checkpoint:
    validation = result["validation"]
    metrics = {"step": result["best_step"], "valid_loss": validation["loss"]}
    metrics |= {f"valid_{name}": value for name, value in validation["metrics"].items()}
    return Checkpoint(
        id=checkpoint_id(),
        job_id=run.job_id,
        run_id=run.id,
        owner_id=run.owner_id,
        step=result["best_step"],
        metrics=metrics,
    )


def _pause_run(session: Session, assignment: Assignment, outcome: Paused) -> None:
    """It waits for the decision of the early discard, with what that is made by."""
    run, result = assignment.run, outcome.result
    Runs(session).pause(
        assignment.hold,
        f"{assignment.artifacts}/{state_name(result['step'])}",
        step=result["step"],
        trained_tokens=result["trained_tokens"],
        result={"rung": {name: result[name] for name in ("step", "score", "degenerate")}},
        deaths=0,
        death_step=None,
        stack_limit=None,
    )
    score = "undefined" if result["score"] is None else f"{result['score']:.4f}"
    message = (
        f"{_title(run)} waits at step {result['step']}: validation {assignment.job.metric} {score}."
    )
    Events(session).add(assignment.job, message, run_id=run.id)


def _suspend(session: Session, assignment: Assignment, result: Line) -> None:
    """Its job was paused: it goes on from here when that is resumed, or at once if it has been meanwhile."""
    step = result["step"]
    state = f"{assignment.artifacts}/{state_name(step)}"
    tokens = result["trained_tokens"]
    sound = {"deaths": 0, "death_step": None, "stack_limit": None}
    Runs(session).give_back(assignment.hold, state=state, step=step, trained_tokens=tokens, **sound)
    message = f"{_title(assignment.run)} waits at step {step}, because its job was paused."
    Events(session).add(assignment.job, message, level="warn", run_id=assignment.run.id)


def _fail(session: Session, assignment: Assignment, reason: Reason, **values: int | None) -> None:
    run = assignment.run
    message = f"{_title(run)} failed: {reason['message']}"
    if run.purpose != Purpose.PILOT:  # a pilot that fails is evidence, and told with the choice
        code = "baselines_failed" if run.purpose == Purpose.BASELINES else "run_failed"
        Jobs(session).warn(
            run.job_id, code, message
        )  # the job before the run, as a wish to cancel locks them
    Runs(session).end(assignment.hold, RunState.FAILED, error=reason, **values)
    Events(session).add(assignment.job, message, level="error", run_id=run.id)


def _title(run: Run) -> str:
    return run_title(run.purpose, run.index, run.seed)


def _separate(
    session: Session, assignment: Assignment, step: int, words: str, company: int
) -> None:
    """The trainer of several runs died, and any of them may be the cause: it counts for none, but they go on in smaller company.

    Quarters find the one among n after about log4(n) deaths; alone, its deaths count.
    """
    run, limit = assignment.run, max(1, company // 4)
    Runs(session).give_back(assignment.hold, stack_limit=limit)
    how = (
        "alone" if limit == 1 else f"beside {limit - 1} other{'s' if limit > 2 else ''} at the most"
    )
    message = f"{_title(run)} starts over, {how}: {_where(step)}, as one of {company}, {words[0].lower()}{words[1:]}"
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _start_over(
    session: Session, assignment: Assignment, step: int, words: str, code: str, limit: int
) -> None:
    """Queue the run again, unless the same has happened at the same step too often: then the run, not the machine, is the cause."""
    run = assignment.run
    times = run.deaths + 1 if run.death_step == step else 1
    where = _where(step)
    if times >= limit:
        reason = Reason(
            code=code, message=f"{words} That happened {times} times {where}.", param=None
        )
        _fail(session, assignment, reason, deaths=times, death_step=step)
        return
    Runs(session).give_back(assignment.hold, deaths=times, death_step=step)
    message = f"{_title(run)} starts over: {where}, {words[0].lower()}{words[1:]}"
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _where(step: int) -> str:
    return f"at step {step}" if step >= 0 else "before the first step"
