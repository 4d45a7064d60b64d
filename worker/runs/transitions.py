"""A run's last move: what it has made goes to the storage, then one transaction says how it
ended, or that it starts over.
"""

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
from worker.trainer.process import TrainerMessage

MAX_TRAINER_DEATHS = (
    3  # of the trainer of this run alone, at the same step: then the run itself is the cause
)
MAX_PREPARATION_FAILURES = 5  # tries by machines that could not even begin
BEFORE_FIRST_STEP = -1
_REQUEUE_REASONS = {
    StopReason.SHUTDOWN: "its worker is shutting down",
    StopReason.NO_DISK_SPACE: "its worker has no room on its disk for so many at a time",
    StopReason.TRAINER_KILLED: (
        "its trainer was killed, because another run did not stop when it was told to"
    ),
}


def record_outcome(session: Session, assignment: Assignment, outcome: Outcome | Unprepared) -> None:
    """The run's last move, in one transaction with its event. Raises FenceLost."""
    match outcome:
        case Finished():
            _finish_run(session, assignment, outcome)
        case Paused(result) if result["step"] != assignment.run.stop_step:
            _suspend_run(session, assignment, result)
        case Paused():
            _pause_at_rung(session, assignment, outcome)
        case Scored():
            store_scores(session, assignment, outcome)
        case Failed(reason):
            _fail_run(session, assignment, reason)
        case Stopped(why):
            _stop_run(session, assignment, why)
        case Died(step, words, company) if company > 1:
            _requeue_in_smaller_stack(session, assignment, step, words, company)
        case Died(step, words):
            _requeue_or_fail(session, assignment, step, words, "trainer_died", MAX_TRAINER_DEATHS)
        case Unprepared(words):
            _requeue_or_fail(
                session,
                assignment,
                BEFORE_FIRST_STEP,
                words,
                "not_prepared",
                MAX_PREPARATION_FAILURES,
            )


def _stop_run(session: Session, assignment: Assignment, reason: StopReason) -> None:
    runs, run, hold = Runs(session), assignment.run, assignment.lease
    if reason is StopReason.TIME_LIMIT:
        message = "The run took longer than the service allows a run."
        _fail_run(session, assignment, Reason(code="time_limit", message=message, param=None))
        return
    if reason is StopReason.CANCELLED:
        runs.end(hold, RunState.CANCELLED)
        words = "was cancelled"
    elif reason is StopReason.PAUSED:
        runs.give_back(hold)
        words = "was stopped, because its job was paused"
    else:
        runs.give_back(hold)
        words = f"was queued again: {_REQUEUE_REASONS[reason]}"
    Events(session).add(
        assignment.job, f"{_format_title(run)} {words}.", level="warn", run_id=run.id
    )


def _finish_run(session: Session, assignment: Assignment, outcome: Finished) -> None:
    run, result = assignment.run, outcome.result
    validation, test = result["validation"], result["test"]
    Runs(session).end(
        assignment.lease,
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
        artifacts=None if run.purpose == Purpose.PILOT else assignment.artifacts_prefix,
        deaths=0,
        death_step=None,
    )
    if run.purpose != Purpose.PILOT:
        Checkpoints(session).add(_build_checkpoint(run, result))
    score = "undefined" if validation["score"] is None else f"{validation['score']:.4f}"
    note = ", degenerate: no better than a constant answer" if result["degenerate"] else ""
    Events(session).add(
        assignment.job,
        (
            f"{_format_title(run)} finished: validation {assignment.job.metric} {score} at "
            f"step {result['best_step']}{note}."
        ),
        level="warn" if result["degenerate"] else "info",
        run_id=run.id,
    )


def _build_checkpoint(run: Run, result: TrainerMessage) -> Checkpoint:
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


def _pause_at_rung(session: Session, assignment: Assignment, outcome: Paused) -> None:
    """It waits for the decision of the early discard, with what that is made by."""
    run, result = assignment.run, outcome.result
    Runs(session).pause(
        assignment.lease,
        f"{assignment.artifacts_prefix}/{state_name(result['step'])}",
        step=result["step"],
        trained_tokens=result["trained_tokens"],
        result={"rung": {name: result[name] for name in ("step", "score", "degenerate")}},
        deaths=0,
        death_step=None,
        stack_limit=None,
    )
    score = "undefined" if result["score"] is None else f"{result['score']:.4f}"
    message = (
        f"{_format_title(run)} waits at step {result['step']}: validation "
        f"{assignment.job.metric} {score}."
    )
    Events(session).add(assignment.job, message, run_id=run.id)


def _suspend_run(session: Session, assignment: Assignment, result: TrainerMessage) -> None:
    """Its job was paused: it goes on from here when that is resumed, or at once if it has been
    meanwhile.
    """
    step = result["step"]
    state = f"{assignment.artifacts_prefix}/{state_name(step)}"
    tokens = result["trained_tokens"]
    sound = {"deaths": 0, "death_step": None, "stack_limit": None}
    Runs(session).give_back(
        assignment.lease, state=state, step=step, trained_tokens=tokens, **sound
    )
    message = f"{_format_title(assignment.run)} waits at step {step}, because its job was paused."
    Events(session).add(assignment.job, message, level="warn", run_id=assignment.run.id)


def _fail_run(
    session: Session, assignment: Assignment, reason: Reason, **values: int | None
) -> None:
    run = assignment.run
    message = f"{_format_title(run)} failed: {reason['message']}"
    if run.purpose != Purpose.PILOT:  # a pilot that fails is evidence, and told with the choice
        code = "baselines_failed" if run.purpose == Purpose.BASELINES else "run_failed"
        Jobs(session).warn(
            run.job_id, code, message
        )  # the job before the run, as a wish to cancel locks them
    Runs(session).end(assignment.lease, RunState.FAILED, error=reason, **values)
    Events(session).add(assignment.job, message, level="error", run_id=run.id)


def _format_title(run: Run) -> str:
    return run_title(run.purpose, run.index, run.seed)


def _requeue_in_smaller_stack(
    session: Session, assignment: Assignment, step: int, cause: str, stack_size: int
) -> None:
    """The trainer of several runs died, and any of them may be the cause: it counts for none,
    but they go on in smaller company.

    Quarters find the one among n after about log4(n) deaths; alone, its deaths count.
    """
    run, limit = assignment.run, max(1, stack_size // 4)
    Runs(session).give_back(assignment.lease, stack_limit=limit)
    how = (
        "alone" if limit == 1 else f"beside {limit - 1} other{'s' if limit > 2 else ''} at the most"
    )
    message = (
        f"{_format_title(run)} starts over, {how}: {_format_step(step)}, as one of "
        f"{stack_size}, {cause[0].lower()}{cause[1:]}"
    )
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _requeue_or_fail(
    session: Session, assignment: Assignment, step: int, cause: str, code: str, limit: int
) -> None:
    """Queue the run again, unless the same has happened at the same step too often: then the
    run, not the machine, is the cause.
    """
    run = assignment.run
    times = run.deaths + 1 if run.death_step == step else 1
    where = _format_step(step)
    if times >= limit:
        reason = Reason(
            code=code, message=f"{cause} That happened {times} times {where}.", param=None
        )
        _fail_run(session, assignment, reason, deaths=times, death_step=step)
        return
    Runs(session).give_back(assignment.lease, deaths=times, death_step=step)
    message = f"{_format_title(run)} starts over: {where}, {cause[0].lower()}{cause[1:]}"
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _format_step(step: int) -> str:
    return f"at step {step}" if step >= 0 else "before the first step"
