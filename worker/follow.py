"""Following one training: the trainer's events become rows, the flag and the limits become a stop."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.runs import FenceLost, Runs
from shared.states import Purpose
from worker.app import is_shutting_down
from worker.assignment import Assignment
from worker.lease import Heartbeat
from worker.outcomes import Died, Failed, Finished, Outcome, Paused, Scored, Stopped, StopReason
from worker.parts import WorkerParts
from worker.patience import AWAY, until_answered
from worker.supervisor import Line, TrainerDied

log = logging.getLogger(__name__)

FLUSH_S = 0.5  # how often points are stored and the cancel flag is read


@dataclass
class _Unwritten:
    """What the trainer has said since the last transaction."""

    points: list[Point] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    evaluations: list[Line] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Follower:
    def __init__(self, parts: WorkerParts, assignment: Assignment, beat: Heartbeat) -> None:
        self._parts = parts
        self._assignment = assignment
        self._beat = beat
        self._unwritten = _Unwritten()
        self._in_doubt = False
        self._step = assignment.run.step  # of a run that goes on, the step of its state
        self._last_loss: float | None = None

    def follow(self, wish: Line) -> Outcome:
        """Have a wish carried out to its outcome; when this returns, the trainer is idle or gone. Raises FenceLost."""
        run_id = self._assignment.run.id
        try:
            self._parts.trainer.begin(wish)
            outcome = self._listen(run_id)
        except TrainerDied as death:
            outcome = Died(self._step, str(death))
        if isinstance(outcome, Failed) and outcome.reason["code"] == "internal_error":
            self._parts.trainer.kill()  # after an error nobody foresaw (a CUDA assertion, say) the next run deserves a new one
        until_answered(self._store)  # whatever comes next, the run's points come first
        return outcome

    def _listen(self, run_id: str) -> Outcome:
        trainer, settings = self._parts.trainer, self._parts.settings
        begun = flushed = heard = time.monotonic()
        while True:
            line = trainer.next_line(FLUSH_S / 2)
            now = time.monotonic()
            if line is not None:
                heard = now
                outcome = self._take(line, run_id)
                if outcome is not None:
                    return outcome
            if now - heard > settings.stall_seconds:
                trainer.kill()
                return Died(
                    self._step,
                    f"The trainer process said nothing for {settings.stall_seconds:.0f} seconds and was killed.",
                )
            if now - flushed >= FLUSH_S:
                flushed = now
                stop = self._reason_to_stop(self._flush(), now - begun)
                if stop is not None:
                    trainer.stop(run_id)
                    return Stopped(stop)

    def _reason_to_stop(self, cancel: bool, seconds: float) -> StopReason | None:
        if self._beat.lost.is_set():
            raise FenceLost(self._assignment.run.id)
        if cancel:
            return StopReason.CANCELLED
        if is_shutting_down():
            return StopReason.SHUTDOWN
        return StopReason.TIME_LIMIT if seconds > self._parts.settings.time_limit_seconds else None

    def _take(self, line: Line, run_id: str) -> Outcome | None:
        """Note what a line says; the outcome if it is the run's last."""
        if line.get("run_id") != run_id:  # the greeting, or the tail of a run that was stopped
            return None
        if "failed" in line:
            return Failed(line["failed"])
        event = line.get("event", {})
        match event.get("type"):
            case "started":
                self._on_started(event)
            case "step":
                self._on_step(event)
            case "evaluation":
                self._on_evaluation(event)
            case "finished":
                self._on_finished(event)
                return Finished(event)
            case "paused":
                return Paused(event)
            case "baselines":
                return Scored(event)
        return None

    def _on_started(self, event: Line) -> None:
        environment = event["environment"]
        self._unwritten.latest |= {
            "total_steps": event["total_steps"],
            "environment": environment,
            "device": environment.get("device"),
        }
        limit = self._assignment.job.task["max_seq_length"]
        self._unwritten.warnings = [
            f"{cut} of {event['rows'][split]} {split} texts are longer than {limit} tokens and were cut."
            for split, cut in event["truncated"].items()
            if cut
        ]

    def _on_step(self, event: Line) -> None:
        self._step = event["step"]
        self._last_loss = event["train_loss"]
        self._unwritten.points += [
            Point(name, self._step, event[name]) for name in ("train_loss", "learning_rate", "grad_norm")
        ]
        self._note_parts("grad_norm", self._step, event["part_grad_norms"])
        self._unwritten.latest |= {"step": self._step, "train_loss": self._last_loss}

    def _on_evaluation(self, event: Line) -> None:
        self._note_scores("valid", event["step"], event["valid_loss"], event["metrics"])
        self._unwritten.evaluations.append({**event, "train_loss": self._last_loss})
        if event["is_best"]:
            self._unwritten.latest |= {"validation_score": event["score"], "best_step": event["step"]}

    def _on_finished(self, event: Line) -> None:
        self._note_parts("distance", self._step, event["evidence"]["distance"])
        if event["test"] is not None:
            self._note_scores("test", event["best_step"], event["test"]["loss"], event["test"]["metrics"])

    def _note_parts(self, name: str, step: int, by_part: dict[str, float]) -> None:
        """A series a part of the network: ``grad_norm_block_0``, ``distance_head``, …"""
        points = [Point(f"{name}_{part.replace(' ', '_')}", step, value) for part, value in by_part.items()]
        self._unwritten.points += points

    def _note_scores(self, split: str, step: int, loss: float, metrics: dict[str, float | None]) -> None:
        points = self._unwritten.points
        points.append(Point(f"{split}_loss", step, loss))
        points += [Point(f"{split}_{name}", step, value) for name, value in metrics.items() if value is not None]

    def _flush(self) -> bool:
        """Store what is unwritten and read the cancel flag; kept for the next time if the database is away."""
        try:
            return self._store()
        except AWAY as error:
            log.warning("record_failed run=%s error=%s", self._assignment.run.id, error.orig)
            return False

    def _store(self) -> bool:
        """One transaction. Raises an error of ``AWAY``; then it is in doubt whether the commit came through."""
        if not self._unwritten.latest and not self._unwritten.points:
            with self._parts.database.read() as session:
                return Runs(session).cancel_wished(self._assignment.hold)
        doubtful, self._in_doubt = self._in_doubt, True
        with self._parts.database.write() as session:
            if doubtful:
                self._forget_what_came_through(session)
            cancel = self._write(session)
        self._unwritten, self._in_doubt = _Unwritten(), False
        return cancel

    def _forget_what_came_through(self, session: Session) -> None:
        points = self._unwritten.points
        first = min((point.step for point in points), default=0)
        stored = {(name, step) for name, step, _ in Metrics(session).of_run(self._assignment.run.id, step_from=first)}
        self._unwritten.points = [point for point in points if (point.name, point.step) not in stored]
        evaluations = self._unwritten.evaluations
        self._unwritten.evaluations = [e for e in evaluations if ("valid_loss", e["step"]) not in stored]

    def _write(self, session: Session) -> bool:
        unwritten, assignment = self._unwritten, self._assignment
        lease = self._parts.settings.lease_seconds
        cancel = Runs(session).record(assignment.hold, lease, unwritten.points, **unwritten.latest)
        events = Events(session)
        for warning in unwritten.warnings:
            if Jobs(session).warn(assignment.job.id, "truncated_texts", warning):  # the same for every run of the job
                events.add(assignment.job, warning, level="warn", run_id=assignment.run.id)
        pilot = f"Pilot {assignment.run.index}, step " if assignment.run.purpose == Purpose.PILOT else "Step "
        for evaluation in unwritten.evaluations:
            data = {
                "step": evaluation["step"],
                "train_loss": evaluation["train_loss"],
                "valid_loss": evaluation["valid_loss"],
                **{f"valid_{name}": value for name, value in evaluation["metrics"].items()},
                "run_id": assignment.run.id,
                "seed": assignment.run.seed,
            }
            message = (
                f"{pilot}{evaluation['step']}/{assignment.run.total_steps}, seed {assignment.run.seed}: "
                f"training loss={_number(evaluation['train_loss'])}, validation loss={_number(evaluation['valid_loss'])}, "
                f"{assignment.job.metric}={_number(evaluation['score'])}"
            )
            events.add(assignment.job, message, run_id=assignment.run.id, type="metrics", data=data)
        return cancel


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
