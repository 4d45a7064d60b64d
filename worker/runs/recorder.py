"""The recorder of one run: turns the trainer's events into points, row values and job events."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.runs import Runs
from shared.db.tables import Run
from shared.domain.job_facts import TRUNCATION_WARNING
from shared.domain.naming import format_run_title
from shared.domain.run_evidence import HeadFit
from shared.domain.states import Purpose
from shared.domain.wording import choose_verb, format_count
from worker.runs.assignment import Assignment
from worker.runs.outcomes import Failed, Finished, Outcome, Paused, Scored
from worker.trainer.protocol import RunEventMessage, RunFailed, RunMessage
from worker.training import events

_HEAD_FIT_LOSS = "head_fit_loss"
"""Series of the fitted head's training loss; its only point is at step 0."""
_SPLIT_TITLES = {"train": "training", "validation": "validation", "test": "test"}


class _PendingEvaluation(NamedTuple):
    event: events.Evaluation
    train_loss: float | None
    """Training loss of the last step before the evaluation."""


@dataclass
class _PendingWrites:
    """Values reported by the trainer since the last transaction."""

    points: list[Point] = field(default_factory=list)
    latest: dict[str, Any] = field(default_factory=dict)
    evaluations: list[_PendingEvaluation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Texts of warning events."""
    head_fit: HeadFit | None = None


class RunRecorder:
    """Values of one run that are waiting to be stored."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.step = assignment.run.step
        """Last step reported; at first the step of the resume state, or 0."""
        self._pending = _PendingWrites()
        self._last_loss: float | None = None

    def record_message(self, message: RunMessage) -> Outcome | None:
        """Record a message; return the outcome if it is the run's last."""
        if isinstance(message, RunFailed):
            return Failed(message.failed)
        return self._record_event(message.event) if isinstance(message, RunEventMessage) else None

    def _record_event(self, event: events.RunEvent | events.BaselinesScored) -> Outcome | None:
        match event:
            case events.MemoryShort():
                self._pending.notes.append(_format_memory_short(event, self.assignment.run))
            case events.Started():
                self._record_start(event)
            case events.HeadFitted():
                self._record_head_fit(event.fit)
            case events.Step():
                self._record_step(event)
            case events.Evaluation():
                self._record_evaluation(event)
            case events.Finished():
                self._record_finish(event)
                return Finished(event)
            case events.Paused():
                return Paused(event)
            case events.BaselinesScored():
                return Scored(event)
        return None

    def _record_start(self, event: events.Started) -> None:
        self._pending.latest |= {
            "total_steps": event.total_steps,
            "environment": event.environment,
            "device": event.environment.get("device"),
        }
        job = self.assignment.job
        if any(warning.code == TRUNCATION_WARNING for warning in job.warnings):
            return  # the job was planned with it, in more detail
        limit = job.task.max_seq_length
        self._pending.warnings = [
            (
                f"{truncated} of {event.rows[split]} {_SPLIT_TITLES[split]} texts "
                f"{choose_verb(truncated, 'is', 'are')} longer than {limit} tokens and "
                f"{choose_verb(truncated, 'was', 'were')} truncated."
            )
            for split, truncated in event.truncated.items()
            if truncated
        ]

    def _record_head_fit(self, fit: HeadFit) -> None:
        self._pending.head_fit = fit
        self._pending.points.append(Point(_HEAD_FIT_LOSS, 0, fit.loss))
        if fit.score is not None:
            name = f"head_fit_{self.assignment.job.metric}"
            self._pending.points.append(Point(name, 0, fit.score))

    def _record_step(self, event: events.Step) -> None:
        self.step = event.step
        self._last_loss = event.train_loss
        self._pending.points += [
            Point("train_loss", self.step, event.train_loss),
            Point("learning_rate", self.step, event.learning_rate),
            Point("grad_norm", self.step, event.grad_norm),
        ]
        self._add_group_points("grad_norm", self.step, event.part_grad_norms)
        self._pending.latest |= {"step": self.step, "train_loss": self._last_loss}

    def _record_evaluation(self, event: events.Evaluation) -> None:
        self._add_score_points("valid", event.step, event.valid_loss, event.metrics)
        self._pending.evaluations.append(_PendingEvaluation(event, self._last_loss))
        if event.is_best:
            self._pending.latest |= {"validation_score": event.score, "best_step": event.step}

    def _record_finish(self, event: events.Finished) -> None:
        self._add_group_points("distance", self.step, event.evidence.distance)
        if event.test is not None:
            self._add_score_points("test", event.best_step, event.test.loss, event.test.metrics)
        if event.average is not None:
            validation, alone = event.validation, event.average
            self._add_score_points("average_valid", self.step, validation.loss, validation.metrics)
            if alone.best_checkpoint_test is not None:
                self._add_metric_points(
                    "best_checkpoint_test", event.best_step, alone.best_checkpoint_test
                )

    def _add_group_points(self, name: str, step: int, value_by_group: dict[str, float]) -> None:
        """Add a point to each module group's series: ``grad_norm_block_0``, ``distance_head``…"""
        points = [
            Point(f"{name}_{group.replace(' ', '_')}", step, value)
            for group, value in value_by_group.items()
        ]
        self._pending.points += points

    def _add_score_points(
        self, split: str, step: int, loss: float, metrics: dict[str, float | None]
    ) -> None:
        self._pending.points.append(Point(f"{split}_loss", step, loss))
        self._add_metric_points(split, step, metrics)

    def _add_metric_points(self, split: str, step: int, metrics: dict[str, float | None]) -> None:
        self._pending.points += [
            Point(f"{split}_{name}", step, value)
            for name, value in metrics.items()
            if value is not None
        ]

    # storing

    @property
    def is_stored(self) -> bool:
        return not (self._pending.latest or self._pending.points or self._pending.notes)

    def mark_stored(self) -> None:
        """Forget the pending values after their transaction was committed."""
        self._pending = _PendingWrites()

    def drop_stored_points(self, session: Session) -> None:
        """Drop pending points that a commit without an answer has stored after all."""
        points = self._pending.points
        first_step = min((point.step for point in points), default=0)
        run_id = self.assignment.run.id
        stored = {
            (name, step)
            for name, step, _ in Metrics(session).list_points(run_id, step_from=first_step)
        }
        self._pending.points = [point for point in points if (point.name, point.step) not in stored]
        self._pending.evaluations = [
            evaluation
            for evaluation in self._pending.evaluations
            if ("valid_loss", evaluation.event.step) not in stored
        ]
        if (_HEAD_FIT_LOSS, 0) in stored:
            self._pending.head_fit = None

    def write_warnings(self, session: Session) -> None:
        """Write the warnings to the job, once for all of its runs."""
        assignment = self.assignment
        for warning in self._pending.warnings:
            if Jobs(session).add_warning(assignment.job.id, TRUNCATION_WARNING, warning):
                Events(session).add(assignment.job, warning, level="warn", run_id=assignment.run.id)

    def write_pending(self, session: Session, lease_seconds: float) -> None:
        """Write the pending values and renew the lease. Raises FenceLost."""
        assignment = self.assignment
        Runs(session).record_progress(
            assignment.lease, lease_seconds, self._pending.points, **self._pending.latest
        )
        if self._pending.head_fit is not None:
            job, run = assignment.job, assignment.run
            message = _format_head_fit(self._pending.head_fit, job.metric, run)
            Events(session).add(job, message, run_id=run.id)
        for note in self._pending.notes:
            Events(session).add(assignment.job, note, level="warn", run_id=assignment.run.id)
        for evaluation in self._pending.evaluations:
            self._add_metrics_event(session, evaluation)

    def _add_metrics_event(self, session: Session, evaluation: _PendingEvaluation) -> None:
        job, run = self.assignment.job, self.assignment.run
        event, train_loss = evaluation
        data = {
            "step": event.step,
            "train_loss": train_loss,
            "valid_loss": event.valid_loss,
            **{f"valid_{name}": value for name, value in event.metrics.items()},
            "run_id": run.id,
            "seed": run.seed,
        }
        message = _format_evaluation(evaluation, job.metric, run)
        Events(session).add(job, message, run_id=run.id, type="metrics", data=data)


def _format_memory_short(event: events.MemoryShort, run: Run) -> str:
    title = format_run_title(run.purpose, run.index, run.seed)
    needed, free = (f"{size / 1e9:.1f} GB" for size in (event.needed_bytes, event.free_bytes))
    if event.wanted == 1:
        return (
            f"{title} waits for memory: it needs about {needed}, and {free} are free while other "
            "runs are in training."
        )
    return (
        f"{title} is trained with {event.stacked - 1} instead of {event.wanted - 1} others at a "
        f"time: together they need about {needed} of memory, and {free} are free."
    )


def _format_head_fit(fit: HeadFit, metric: str, run: Run) -> str:
    subject = f"Pilot {run.index}, seed" if run.purpose == Purpose.PILOT else "Seed"
    return (
        f"{subject} {run.seed}: the head was fitted on the frozen encoder with "
        f"{format_count(fit.rows, 'training row')}: training loss={_format_score(fit.loss)}, "
        f"training {metric}={_format_score(fit.score)}"
    )


def _format_evaluation(evaluation: _PendingEvaluation, metric: str, run: Run) -> str:
    event, train_loss = evaluation
    step = f"Pilot {run.index}, step" if run.purpose == Purpose.PILOT else "Step"
    return (
        f"{step} {event.step}/{run.total_steps}, seed {run.seed}: "
        f"training loss={_format_score(train_loss)}, "
        f"validation loss={_format_score(event.valid_loss)}, "
        f"{metric}={_format_score(event.score)}"
    )


def _format_score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"
