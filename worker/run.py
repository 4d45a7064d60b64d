"""One run from claim to end: the story of a child. What the trainer yields is recorded here, in short transactions."""

import logging
import shutil

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.models import Checkpoints
from shared.db.runs import FenceLost, Hold, Runs
from shared.db.tables import Checkpoint, File
from shared.errors import Reason, ServiceError
from shared.ids import checkpoint_id
from shared.states import RunState
from worker import job
from worker.app import is_shutting_down
from worker.assignment import Assignment
from worker.follow import Died, Failed, Finished, Follower, Outcome, Stopped, StopReason
from worker.lease import Heartbeat
from worker.parts import WorkerParts
from worker.patience import patiently

log = logging.getLogger(__name__)
MAX_DEATHS = 3  # of the trainer, at the same step: then the run itself is the cause


def train_queued(parts: WorkerParts, *, prefer: str | None = None) -> None:
    """Train the preferred run, then whatever is queued, oldest first, until nothing is or the worker is asked to go."""
    while not is_shutting_down():
        assignment = _claim(parts, prefer)
        if assignment is None:
            return
        prefer = None
        log.info("run_claimed run=%s attempt=%s", assignment.run.id, assignment.run.attempt)
        try:
            _train(parts, assignment)
        except FenceLost:
            log.warning("run_lost run=%s: its lease ran out and it was taken back", assignment.run.id)
            parts.trainer.stop(assignment.run.id)
        finally:
            shutil.rmtree(assignment.folder(parts), ignore_errors=True)
        job.advance(parts, assignment.job.id)


def _claim(parts: WorkerParts, prefer: str | None) -> Assignment | None:
    def claim(session: Session) -> Assignment | None:
        runs = Runs(session)
        hold = runs.claim(parts.name, parts.settings.lease_seconds, prefer=prefer)
        if hold is None:
            return None
        its_job = runs.job_started(hold.run_id)
        run = runs.get(its_job.id, hold.run_id)
        session.refresh(run)
        again = "" if run.attempt == 1 else f" (attempt {run.attempt})"
        Events(session).add(its_job, f"Run {run.index} (seed {run.seed}) started{again}.", run_id=run.id)
        named = [its_job.training_file, its_job.validation_file]
        files = session.scalars(select(File).where(File.id.in_([name for name in named if name is not None])))
        return Assignment(its_job, run, hold, {file.id: file for file in files})

    return patiently(parts.database, claim)


def _train(parts: WorkerParts, assignment: Assignment) -> None:
    settings = parts.settings
    beat = Heartbeat(parts.database, assignment.hold, interval=settings.heartbeat_seconds, lease=settings.lease_seconds)
    with beat:
        try:
            specification = assignment.specification(parts)
        except ServiceError as error:
            outcome: Outcome = Failed(error.as_reason())
        else:
            outcome = Follower(parts, assignment, beat).follow(specification)
        if isinstance(outcome, Finished):  # whole in the storage before any row names it
            parts.storage.put_folder(assignment.artifacts, assignment.folder(parts))
        patiently(parts.database, lambda session: _record_end(session, assignment, outcome))
    log.info("run_ended run=%s outcome=%s", assignment.run.id, type(outcome).__name__)


def _record_end(session: Session, assignment: Assignment, outcome: Outcome) -> None:
    """The run's last move, in one transaction with its event. Raises FenceLost."""
    runs, events = Runs(session), Events(session)
    run, hold, name = assignment.run, assignment.hold, f"Run {assignment.run.index} (seed {assignment.run.seed})"
    match outcome:
        case Finished():
            _succeed(session, assignment, outcome)
        case Failed(reason):
            runs.end(hold, RunState.FAILED, error=reason)
            events.add(assignment.job, f"{name} failed: {reason['message']}", level="error", run_id=run.id)
        case Stopped(StopReason.CANCELLED):
            runs.end(hold, RunState.CANCELLED)
            events.add(assignment.job, f"{name} was cancelled.", level="warn", run_id=run.id)
        case Stopped(StopReason.TIME_LIMIT):
            reason = Reason(code="time_limit", message="The run took longer than the service allows a run.", param=None)
            runs.end(hold, RunState.FAILED, error=reason)
            events.add(assignment.job, f"{name} failed: {reason['message']}", level="error", run_id=run.id)
        case Stopped(StopReason.SHUTDOWN):
            runs.give_back(hold)
            events.add(
                assignment.job, f"{name} was queued again: its worker is shutting down.", level="warn", run_id=run.id
            )
        case Died(step, words):
            _count_death(session, assignment, hold, step, words)


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
        result={"validation": validation, "test": test},
        diagnosis=result["diagnosis"],
        artifacts=assignment.artifacts,
        deaths=0,
        death_step=None,
    )
    metrics = {"step": result["best_step"], "valid_loss": validation["loss"]}
    metrics |= {f"valid_{name}": value for name, value in validation["metrics"].items()}
    Checkpoints(session).add(
        Checkpoint(
            id=checkpoint_id(),
            job_id=run.job_id,
            run_id=run.id,
            owner_id=run.owner_id,
            step=result["best_step"],
            metrics=metrics,
        )
    )
    score = "undefined" if validation["score"] is None else f"{validation['score']:.4f}"
    note = ", degenerate: no better than a constant answer" if result["degenerate"] else ""
    Events(session).add(
        assignment.job,
        f"Run {run.index} (seed {run.seed}) finished: validation {assignment.job.metric} {score} at step {result['best_step']}{note}.",
        level="warn" if result["degenerate"] else "info",
        run_id=run.id,
    )


def _count_death(session: Session, assignment: Assignment, hold: Hold, step: int, words: str) -> None:
    """Start over, unless the trainer keeps dying at the same step: then the run, not the machine, is the likely cause."""
    run = assignment.run
    deaths = run.deaths + 1 if run.death_step == step else 1
    events, name = Events(session), f"Run {run.index} (seed {run.seed})"
    if deaths >= MAX_DEATHS:
        message = f"{words} That happened {deaths} times at step {step}."
        Runs(session).end(
            hold,
            RunState.FAILED,
            error=Reason(code="trainer_died", message=message, param=None),
            deaths=deaths,
            death_step=step,
        )
        events.add(assignment.job, f"{name} failed: {message}", level="error", run_id=run.id)
        return
    Runs(session).give_back(hold, deaths=deaths, death_step=step)
    events.add(
        assignment.job,
        f"{name} starts over: at step {step}, {words[0].lower()}{words[1:]}",
        level="warn",
        run_id=run.id,
    )
