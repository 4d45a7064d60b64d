"""What the trainer says of one run, until it is stored: lines become points, latest values and
events.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.runs import Runs
from shared.domain.states import Purpose
from worker.runs.assignment import Assignment
from worker.runs.outcomes import Failed, Finished, Outcome, Paused, Scored
from worker.trainer.process import TrainerMessage


@dataclass
class _PendingWrites:
    """What the trainer has said since the last transaction."""

    points: list[Point] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    evaluations: list[TrainerMessage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class RunRecorder:
    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.step = assignment.run.step
        """The last that was heard of; of a run that goes on, at first the step of its state."""
        self._pending = _PendingWrites()
        self._last_loss: float | None = None

    def record_message(self, message: TrainerMessage) -> Outcome | None:
        """Note what a line says; the outcome if it is the run's last."""
        if "failed" in message:
            return Failed(message["failed"])
        event = message.get("event", {})
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

    def _on_started(self, event: TrainerMessage) -> None:
        environment = event["environment"]
        self._pending.latest |= {
            "total_steps": event["total_steps"],
            "environment": environment,
            "device": environment.get("device"),
        }
        limit = self.assignment.job.task["max_seq_length"]
        self._pending.warnings = [
            (
                f"{cut} of {event['rows'][split]} {split} texts are longer than {limit} tokens "
                "and were cut."
            )
            for split, cut in event["truncated"].items()
            if cut
        ]

    def _on_step(self, event: TrainerMessage) -> None:
        self.step = event["step"]
        self._last_loss = event["train_loss"]
        self._pending.points += [
            Point(name, self.step, event[name])
            for name in ("train_loss", "learning_rate", "grad_norm")
        ]
        self._add_group_points("grad_norm", self.step, event["part_grad_norms"])
        self._pending.latest |= {"step": self.step, "train_loss": self._last_loss}

    def _on_evaluation(self, event: TrainerMessage) -> None:
        self._add_score_points("valid", event["step"], event["valid_loss"], event["metrics"])
        self._pending.evaluations.append({**event, "train_loss": self._last_loss})
        if event["is_best"]:
            self._pending.latest |= {
                "validation_score": event["score"],
                "best_step": event["step"],
            }

    def _on_finished(self, event: TrainerMessage) -> None:
        self._add_group_points("distance", self.step, event["evidence"]["distance"])
        if event["test"] is not None:
            self._add_score_points(
                "test", event["best_step"], event["test"]["loss"], event["test"]["metrics"]
            )

    def _add_group_points(self, name: str, step: int, value_by_group: dict[str, float]) -> None:
        """A series a part of the network: ``grad_norm_block_0``, ``distance_head``, …"""
        points = [
            Point(f"{name}_{part.replace(' ', '_')}", step, value)
            for part, value in value_by_group.items()
        ]
        self._pending.points += points

    def _add_score_points(
        self, split: str, step: int, loss: float, metrics: dict[str, float | None]
    ) -> None:
        points = self._pending.points
        points.append(Point(f"{split}_loss", step, loss))
        points += [
            Point(f"{split}_{name}", step, value)
            for name, value in metrics.items()
            if value is not None
        ]

    # storing

    @property
    def is_stored(self) -> bool:
        return not self._pending.latest and not self._pending.points

    def mark_stored(self) -> None:
        """The transaction came through."""
        self._pending = _PendingWrites()

    def drop_stored_points(self, session: Session) -> None:
        """Of a transaction whose answer was lost."""
        points = self._pending.points
        first = min((point.step for point in points), default=0)
        run_id = self.assignment.run.id
        stored = {
            (name, step) for name, step, _ in Metrics(session).of_run(run_id, step_from=first)
        }
        self._pending.points = [point for point in points if (point.name, point.step) not in stored]
        evaluations = self._pending.evaluations
        self._pending.evaluations = [
            e for e in evaluations if ("valid_loss", e["step"]) not in stored
        ]

    def write_warnings(self, session: Session) -> None:
        """What is the same for every run of the job is said once."""
        assignment = self.assignment
        for warning in self._pending.warnings:
            if Jobs(session).warn(assignment.job.id, "truncated_texts", warning):
                Events(session).add(assignment.job, warning, level="warn", run_id=assignment.run.id)

    def write_pending(self, session: Session, lease_seconds: float) -> None:
        """Raises FenceLost."""
        assignment = self.assignment
        Runs(session).record(
            assignment.lease, lease_seconds, self._pending.points, **self._pending.latest
        )
        pilot = (
            f"Pilot {assignment.run.index}, step "
            if assignment.run.purpose == Purpose.PILOT
            else "Step "
        )
        for evaluation in self._pending.evaluations:
            data = {
                "step": evaluation["step"],
                "train_loss": evaluation["train_loss"],
                "valid_loss": evaluation["valid_loss"],
                **{f"valid_{name}": value for name, value in evaluation["metrics"].items()},
                "run_id": assignment.run.id,
                "seed": assignment.run.seed,
            }
            message = (
                f"{pilot}{evaluation['step']}/{assignment.run.total_steps}, seed "
                f"{assignment.run.seed}: "
                f"training loss={_format_score(evaluation['train_loss'])}, validation "
                f"loss={_format_score(evaluation['valid_loss'])}, "
                f"{assignment.job.metric}={_format_score(evaluation['score'])}"
            )
            Events(session).add(
                assignment.job, message, run_id=assignment.run.id, type="metrics", data=data
            )


def _format_score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
