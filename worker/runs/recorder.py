"""What the trainer says of one run, until it is stored: lines become points, latest values and events."""

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
from worker.trainer.process import Line


@dataclass
class _Unwritten:
    """What the trainer has said since the last transaction."""

    points: list[Point] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    evaluations: list[Line] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Record:
    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.step = assignment.run.step
        """The last that was heard of; of a run that goes on, at first the step of its state."""
        self._unwritten = _Unwritten()
        self._last_loss: float | None = None

    def take(self, line: Line) -> Outcome | None:
        """Note what a line says; the outcome if it is the run's last."""
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
        limit = self.assignment.job.task["max_seq_length"]
        self._unwritten.warnings = [
            f"{cut} of {event['rows'][split]} {split} texts are longer than {limit} tokens and were cut."
            for split, cut in event["truncated"].items()
            if cut
        ]

    def _on_step(self, event: Line) -> None:
        self.step = event["step"]
        self._last_loss = event["train_loss"]
        self._unwritten.points += [
            Point(name, self.step, event[name])
            for name in ("train_loss", "learning_rate", "grad_norm")
        ]
        self._note_parts("grad_norm", self.step, event["part_grad_norms"])
        self._unwritten.latest |= {"step": self.step, "train_loss": self._last_loss}

    def _on_evaluation(self, event: Line) -> None:
        self._note_scores("valid", event["step"], event["valid_loss"], event["metrics"])
        self._unwritten.evaluations.append({**event, "train_loss": self._last_loss})
        if event["is_best"]:
            self._unwritten.latest |= {
                "validation_score": event["score"],
                "best_step": event["step"],
            }

    def _on_finished(self, event: Line) -> None:
        self._note_parts("distance", self.step, event["evidence"]["distance"])
        if event["test"] is not None:
            self._note_scores(
                "test", event["best_step"], event["test"]["loss"], event["test"]["metrics"]
            )

    def _note_parts(self, name: str, step: int, by_part: dict[str, float]) -> None:
        """A series a part of the network: ``grad_norm_block_0``, ``distance_head``, …"""
        points = [
            Point(f"{name}_{part.replace(' ', '_')}", step, value)
            for part, value in by_part.items()
        ]
        self._unwritten.points += points

    def _note_scores(
        self, split: str, step: int, loss: float, metrics: dict[str, float | None]
    ) -> None:
        points = self._unwritten.points
        points.append(Point(f"{split}_loss", step, loss))
        points += [
            Point(f"{split}_{name}", step, value)
            for name, value in metrics.items()
            if value is not None
        ]

    # storing

    @property
    def is_stored(self) -> bool:
        return not self._unwritten.latest and not self._unwritten.points

    def stored(self) -> None:
        """The transaction came through."""
        self._unwritten = _Unwritten()

    def forget_what_came_through(self, session: Session) -> None:
        """Of a transaction whose answer was lost."""
        points = self._unwritten.points
        first = min((point.step for point in points), default=0)
        run_id = self.assignment.run.id
        stored = {
            (name, step) for name, step, _ in Metrics(session).of_run(run_id, step_from=first)
        }
        self._unwritten.points = [
            point for point in points if (point.name, point.step) not in stored
        ]
        evaluations = self._unwritten.evaluations
        self._unwritten.evaluations = [
            e for e in evaluations if ("valid_loss", e["step"]) not in stored
        ]

    def warn(self, session: Session) -> None:
        """What is the same for every run of the job is said once."""
        assignment = self.assignment
        for warning in self._unwritten.warnings:
            if Jobs(session).warn(assignment.job.id, "truncated_texts", warning):
                Events(session).add(assignment.job, warning, level="warn", run_id=assignment.run.id)

    def write(self, session: Session, lease: float) -> None:
        """Raises FenceLost."""
        assignment = self.assignment
        Runs(session).record(
            assignment.hold, lease, self._unwritten.points, **self._unwritten.latest
        )
        pilot = (
            f"Pilot {assignment.run.index}, step "
            if assignment.run.purpose == Purpose.PILOT
            else "Step "
        )
        for evaluation in self._unwritten.evaluations:
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
            Events(session).add(
                assignment.job, message, run_id=assignment.run.id, type="metrics", data=data
            )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
