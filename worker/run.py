"""One run from claim to end: the story of a child. What the trainer yields is recorded here, in short transactions."""

import logging
import shutil
import time

from obstore.exceptions import BaseError as StorageError
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints
from shared.db.runs import FenceLost, Runs
from shared.db.tables import Checkpoint, File, Model, Run
from shared.errors import Reason, ServiceError
from shared.ids import checkpoint_id
from shared.names import FINE_TUNED, run_title, state_name, state_step
from shared.states import Purpose, RunState
from worker import job
from worker.app import is_shutting_down
from worker.assignment import Assignment, NotHere
from worker.baselines import store_scores
from worker.follow import Follower
from worker.lease import Heartbeat
from worker.outcomes import Died, Failed, Finished, Outcome, Paused, Scored, Stopped, StopReason, Unprepared
from worker.parts import WorkerParts
from worker.patience import patiently
from worker.supervisor import Line

log = logging.getLogger(__name__)
MAX_DEATHS = 3  # of the trainer, at the same step: then the run itself is the cause
MAX_UNPREPARED = 5  # tries by machines that could not even begin
UNPREPARED_PAUSE_S = 20.0
BEFORE_THE_FIRST_STEP = -1
STORAGE_PAUSES_S = (1.0, 5.0)
OTHERS_TO_ADVANCE = 5


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
        except BaseException:
            parts.trainer.kill()  # it must not go on with a run that nobody follows
            raise
        finally:
            for folder in (assignment.folder(parts), assignment.state_folder(parts)):
                shutil.rmtree(folder, ignore_errors=True)
        _advance_jobs(parts, assignment.job.id)


def _advance_jobs(parts: WorkerParts, job_id: str) -> None:
    """Advance this run's job if it was the last to move, and those whose message waits behind children as busy as this one."""
    job.advance(parts, job_id)
    with parts.database.read() as session:
        others = Jobs(session).to_advance(OTHERS_TO_ADVANCE)
    for other in others:
        job.advance(parts, other)


def _claim(parts: WorkerParts, prefer: str | None) -> Assignment | None:
    def claim(session: Session) -> Assignment | None:
        runs = Runs(session)
        hold = runs.claim(parts.name, parts.settings.lease_seconds, prefer=prefer)
        if hold is None:
            return None
        its_job = runs.job_started(hold.run_id)
        run = runs.get(its_job.id, hold.run_id)
        session.refresh(run)
        how = "started" if run.state is None else f"goes on from step {state_step(run.state)}"
        again = "" if run.attempt == 1 else f" (attempt {run.attempt})"
        Events(session).add(its_job, f"{_title(run)} {how}{again}.", run_id=run.id)
        named = [its_job.training_file, its_job.validation_file, its_job.test_file]
        files = session.scalars(select(File).where(File.id.in_([name for name in named if name is not None])))
        base = session.get(Model, its_job.model) if its_job.model.startswith(FINE_TUNED) else None
        return Assignment(its_job, run, hold, {file.id: file for file in files}, base)

    return patiently(parts.database, claim)


def _train(parts: WorkerParts, assignment: Assignment) -> None:
    settings = parts.settings
    beat = Heartbeat(parts.database, assignment.hold, interval=settings.heartbeat_seconds, lease=settings.lease_seconds)
    with beat:
        try:
            outcome: Outcome | Unprepared = Follower(parts, assignment, beat).follow(assignment.wish(parts))
            if isinstance(outcome, Finished | Paused):
                _store_artifacts(parts, assignment)
        except NotHere as trouble:
            outcome = Unprepared(str(trouble))
        except ServiceError as error:
            outcome = Failed(error.as_reason())
        patiently(parts.database, lambda session: _record_end(session, assignment, outcome))
    log.info("run_ended run=%s outcome=%s", assignment.run.id, type(outcome).__name__)
    if isinstance(outcome, Unprepared):
        # else a machine with a full disk would claim every run there is, one after the other
        _pause(UNPREPARED_PAUSE_S)


def _store_artifacts(parts: WorkerParts, assignment: Assignment) -> None:
    """Whole in the storage before any row names them. Raises NotHere when the storage does not take them after some tries."""
    for pause in (*STORAGE_PAUSES_S, None):
        try:
            parts.storage.put_folder(assignment.artifacts, assignment.folder(parts))
            return
        except (StorageError, OSError) as error:
            log.warning("artifacts_not_stored run=%s error=%s", assignment.run.id, error)
            if pause is None:
                raise NotHere(f"The storage did not take the run's weights ({type(error).__name__}).") from error
            _pause(pause)


def _pause(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_shutting_down():
        time.sleep(0.2)


def _record_end(session: Session, assignment: Assignment, outcome: Outcome | Unprepared) -> None:
    """The run's last move, in one transaction with its event. Raises FenceLost."""
    runs, events = Runs(session), Events(session)
    run, hold, name = assignment.run, assignment.hold, _title(assignment.run)
    match outcome:
        case Finished():
            _succeed(session, assignment, outcome)
        case Paused():
            _pause_run(session, assignment, outcome)
        case Scored():
            store_scores(session, assignment, outcome)
        case Failed(reason):
            _fail(session, assignment, reason)
        case Stopped(StopReason.CANCELLED):
            runs.end(hold, RunState.CANCELLED)
            events.add(assignment.job, f"{name} was cancelled.", level="warn", run_id=run.id)
        case Stopped(StopReason.TIME_LIMIT):
            reason = Reason(code="time_limit", message="The run took longer than the service allows a run.", param=None)
            _fail(session, assignment, reason)
        case Stopped(StopReason.SHUTDOWN):
            runs.give_back(hold)
            events.add(
                assignment.job, f"{name} was queued again: its worker is shutting down.", level="warn", run_id=run.id
            )
        case Died(step, words):
            _start_over(session, assignment, step, words, "trainer_died", MAX_DEATHS)
        case Unprepared(words):
            _start_over(session, assignment, BEFORE_THE_FIRST_STEP, words, "not_prepared", MAX_UNPREPARED)


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
    )
    score = "undefined" if result["score"] is None else f"{result['score']:.4f}"
    message = f"{_title(run)} waits at step {result['step']}: validation {assignment.job.metric} {score}."
    Events(session).add(assignment.job, message, run_id=run.id)


def _fail(session: Session, assignment: Assignment, reason: Reason, **values: int | None) -> None:
    run = assignment.run
    Runs(session).end(assignment.hold, RunState.FAILED, error=reason, **values)
    message = f"{_title(run)} failed: {reason['message']}"
    if run.purpose != Purpose.PILOT:  # a pilot that fails is evidence, and told with the choice
        code = "baselines_failed" if run.purpose == Purpose.BASELINES else "run_failed"
        Jobs(session).warn(run.job_id, code, message)
    Events(session).add(assignment.job, message, level="error", run_id=run.id)


def _title(run: Run) -> str:
    return run_title(run.purpose, run.index, run.seed)


def _start_over(session: Session, assignment: Assignment, step: int, words: str, code: str, limit: int) -> None:
    """Queue the run again, unless the same has happened at the same step too often: then the run, not the machine, is the cause."""
    run = assignment.run
    times = run.deaths + 1 if run.death_step == step else 1
    where = f"at step {step}" if step >= 0 else "before the first step"
    if times >= limit:
        reason = Reason(code=code, message=f"{words} That happened {times} times {where}.", param=None)
        _fail(session, assignment, reason, deaths=times, death_step=step)
        return
    Runs(session).give_back(assignment.hold, deaths=times, death_step=step)
    message = f"{_title(run)} starts over: {where}, {words[0].lower()}{words[1:]}"
    Events(session).add(assignment.job, message, level="warn", run_id=run.id)
