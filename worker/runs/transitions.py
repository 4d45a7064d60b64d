"""The transaction that records how an attempt at a run ended: finished, failed or requeued."""

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints
from shared.db.runs import Runs
from shared.db.tables import Checkpoint, Run
from shared.domain.errors import Reason
from shared.domain.ids import make_checkpoint_id
from shared.domain.naming import format_run_title, format_state_name
from shared.domain.states import Purpose, RunState
from shared.domain.wording import lower_first
from shared.metrics.run_result import Rung, RungResult, TrainedResult
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
from worker.training import events

# trainer deaths at the same step, with this run alone in training, after which the run fails
MAX_TRAINER_DEATHS = 3
# attempts by machines that could not start the run, after which it fails
MAX_PREPARATION_FAILURES = 5
MACHINE_FAILURE_STEP = -1
_TIME_LIMIT_REACHED = Reason(
    code="time_limit",
    message=(
        "The run exceeded the service's time limit. Train fewer steps, or raise "
        "EVENKEEL_TIME_LIMIT_SECONDS."
    ),
    param=None,
)
_REQUEUE_REASONS = {
    StopReason.SHUTDOWN: "its worker is shutting down",
    StopReason.NO_DISK_SPACE: "its worker's disk is too full to train this many runs together",
    StopReason.TRAINER_KILLED: "its trainer was killed, because another run did not stop in time",
}


def record_outcome(session: Session, assignment: Assignment, outcome: Outcome) -> None:
    """Record the outcome and its event in the caller's transaction. Raises FenceLost."""
    match outcome:
        case Finished():
            _finish_run(session, assignment, outcome)
        case Paused(result) if result.step != assignment.run.stop_step:
            _suspend_run(session, assignment, result)
        case Paused():
            _pause_at_rung(session, assignment, outcome)
        case Scored():
            store_scores(session, assignment, outcome)
        case Failed(error):
            _fail_run(session, assignment, error)
        case Stopped(reason):
            _stop_run(session, assignment, reason)
        case Unprepared(is_outage=True):
            _wait_for_end_of_outage(session, assignment, outcome)
        case Died(stack_size=1) | Unprepared():
            _requeue_or_fail(session, assignment, outcome)
        case Died():
            _requeue_in_smaller_stack(session, assignment, outcome)


def _stop_run(session: Session, assignment: Assignment, reason: StopReason) -> None:
    runs, run, lease = Runs(session), assignment.run, assignment.lease
    if reason is StopReason.TIME_LIMIT:
        _fail_run(session, assignment, _TIME_LIMIT_REACHED)
        return
    if reason is StopReason.CANCELLED:
        runs.finish_run(lease, RunState.CANCELLED)
        ending = "was cancelled"
    elif reason is StopReason.PAUSED:
        runs.requeue_run(lease)
        ending = "was stopped, because its job was paused"
    else:
        runs.requeue_run(lease)
        ending = f"was queued again: {_REQUEUE_REASONS[reason]}"
    Events(session).add(
        assignment.job, f"{_format_title(run)} {ending}.", level="warn", run_id=run.id
    )


def _finish_run(session: Session, assignment: Assignment, outcome: Finished) -> None:
    run, result = assignment.run, outcome.result
    _store_result(session, assignment, result)
    if run.purpose != Purpose.PILOT:
        Checkpoints(session).add(_build_checkpoint(run, result))
    note = ", degenerate: no better than a constant prediction" if result.degenerate else ""
    message = (
        f"{_format_title(run)} finished: validation {assignment.job.metric} "
        f"{_format_score(result.validation.score)} at step {result.best_step}{note}."
    )
    level = "warn" if result.degenerate else "info"
    Events(session).add(assignment.job, message, level=level, run_id=run.id)


def _store_result(session: Session, assignment: Assignment, result: events.Finished) -> None:
    run, validation, test = assignment.run, result.validation, result.test
    Runs(session).finish_run(
        assignment.lease,
        RunState.SUCCEEDED,
        step=run.total_steps,
        validation_score=validation.score,
        test_score=None if test is None else test.score,
        degenerate=result.degenerate,
        best_step=result.best_step,
        trained_tokens=result.trained_tokens,
        weights_sha256=result.weights_sha256,
        result=TrainedResult(
            validation=validation, test=test, evidence=result.evidence, average=result.average
        ),
        diagnosis=result.diagnosis,
        artifacts=None if run.purpose == Purpose.PILOT else assignment.artifacts_prefix,
        deaths=0,
        death_step=None,
    )


def _build_checkpoint(run: Run, result: events.Finished) -> Checkpoint:
    validation = result.validation
    metrics: dict[str, int | float | None] = {
        "step": result.best_step,
        "valid_loss": validation.loss,
    }
    metrics |= {f"valid_{name}": value for name, value in validation.metrics.items()}
    return Checkpoint(
        id=make_checkpoint_id(),
        job_id=run.job_id,
        run_id=run.id,
        owner_id=run.owner_id,
        step=result.best_step,
        metrics=metrics,
    )


def _pause_at_rung(session: Session, assignment: Assignment, outcome: Paused) -> None:
    """Pause the run at its rung, with the score that the early discard decides by."""
    run, result = assignment.run, outcome.result
    Runs(session).pause_run(
        assignment.lease,
        f"{assignment.artifacts_prefix}/{format_state_name(result.step)}",
        step=result.step,
        trained_tokens=result.trained_tokens,
        result=RungResult(
            rung=Rung(step=result.step, score=result.score, degenerate=result.degenerate)
        ),
        deaths=0,
        death_step=None,
        stack_limit=None,
    )
    message = (
        f"{_format_title(run)} paused at step {result.step}: validation "
        f"{assignment.job.metric} {_format_score(result.score)}."
    )
    Events(session).add(assignment.job, message, run_id=run.id)


def _suspend_run(session: Session, assignment: Assignment, result: events.Paused) -> None:
    """Give the run back with its resume state, because its job was paused.

    The run continues from this step when the job is resumed, or at once if it was resumed already.
    """
    step = result.step
    state = f"{assignment.artifacts_prefix}/{format_state_name(step)}"
    tokens = result.trained_tokens
    no_deaths = {"deaths": 0, "death_step": None, "stack_limit": None}
    Runs(session).requeue_run(
        assignment.lease, state=state, step=step, trained_tokens=tokens, **no_deaths
    )
    message = f"{_format_title(assignment.run)} paused at step {step}, because its job was paused."
    Events(session).add(assignment.job, message, level="warn", run_id=assignment.run.id)


def _fail_run(
    session: Session, assignment: Assignment, reason: Reason, **values: int | None
) -> None:
    run = assignment.run
    message = f"{_format_title(run)} failed: {reason.message}"
    if run.purpose != Purpose.PILOT:  # a failed pilot is reported with the choice of the recipe
        code = "baselines_failed" if run.purpose == Purpose.BASELINES else "run_failed"
        # locks the job before the run, in the same order as a cancellation
        Jobs(session).add_warning(run.job_id, code, message)
    Runs(session).finish_run(assignment.lease, RunState.FAILED, error=reason, **values)
    Events(session).add(assignment.job, message, level="error", run_id=run.id)


def _format_title(run: Run) -> str:
    return format_run_title(run.purpose, run.index, run.seed)


def _requeue_in_smaller_stack(session: Session, assignment: Assignment, death: Died) -> None:
    """Requeue a run of a stack whose trainer died, to be trained in a stack a quarter as large.

    Any of the runs may be the cause, so the death does not count against this one. Quarters
    isolate the cause among n runs after about log4(n) deaths; deaths of a run alone count.
    """
    run, limit = assignment.run, max(1, death.stack_size // 4)
    Runs(session).requeue_run(assignment.lease, stack_limit=limit)
    others = "1 other run" if limit == 2 else f"{limit - 1} other runs"
    next_stack = "alone" if limit == 1 else f"with at most {others}"
    message = (
        f"{_format_title(run)} starts over {next_stack}: {_format_step(death.step)}, in a stack "
        f"of {death.stack_size}, {lower_first(death.message)}"
    )
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _wait_for_end_of_outage(session: Session, assignment: Assignment, outcome: Unprepared) -> None:
    """Requeue the run without counting the attempt; one event tells of each cause."""
    run = assignment.run
    Runs(session).requeue_run(assignment.lease)
    message = f"{_format_title(run)} waits: {lower_first(outcome.message)}"
    if not Events(session).has_message(run.job_id, message):
        Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _requeue_or_fail(session: Session, assignment: Assignment, outcome: Died | Unprepared) -> None:
    """Requeue the run, or fail it if this has happened too often at the same step.

    By then the run, not the machine, is taken to be the cause.
    """
    run, cause = assignment.run, outcome.message
    if isinstance(outcome, Died):
        step, code, limit = outcome.step, "trainer_died", MAX_TRAINER_DEATHS
        when, start = f" {_format_step(step)}", f"{_format_step(step)}, "
    else:  # at any step: of the machine, whose failures count whatever the run has reached
        step, code, limit = MACHINE_FAILURE_STEP, "not_prepared", MAX_PREPARATION_FAILURES
        when = start = ""
    count = run.deaths + 1 if run.death_step == step else 1
    if count >= limit:
        message = f"{cause} This happened {count} times{when}."
        reason = Reason(code=code, message=message, param=None)
        _fail_run(session, assignment, reason, deaths=count, death_step=step)
        return
    Runs(session).requeue_run(assignment.lease, deaths=count, death_step=step)
    message = f"{_format_title(run)} starts over: {start}{lower_first(cause)}"
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)


def _format_score(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.4f}"


def _format_step(step: int) -> str:
    return f"at step {step}"
