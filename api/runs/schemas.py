"""Runs and their metric series on the wire."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from api.pagination import Identified
from shared.db.tables import Job, Run
from shared.domain.errors import Reason
from shared.domain.run_evidence import Evidence
from shared.domain.states import RunState


class RunObject(Identified):
    """One training of a job, from one seed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.run"] = "fine_tuning.run"
    job_id: str
    index: int
    """Its place among the job's runs, from 0."""
    seed: int
    init_seed: int
    data_seed: int
    fold: int | None
    """Which part of the training file it is validated on, from 0, under k-fold."""
    purpose: str
    """`main`; `pilot` or `baselines` for what a job does beside its runs."""
    recipe: dict[str, Any] | None
    """A pilot's own recipe; null: the job's."""
    status: str
    """`queued`, `running` or `paused`; in the end `succeeded`, `failed`, `cancelled` or
    `discarded`.
    """
    degenerate: bool | None
    """Whether it ended no better than a constant answer; null until it has ended."""
    attempt: int
    """How many times it was begun."""
    step: int
    """Optimiser steps done."""
    total_steps: int
    train_loss: float | None
    """The latest."""
    validation_score: float | None
    """The best so far: that of the checkpoint chosen."""
    test_score: float | None
    """Of that checkpoint, once the run has ended; null without test rows."""
    score: float | None
    """The result of a succeeded run: its test score where there is a test split, else the
    validation score.
    """
    best_step: int | None
    """The step of that checkpoint."""
    created_at: int
    started_at: int | None
    finished_at: int | None
    worker: str | None
    """Who trains or has trained it; null until then."""
    device: str | None
    """What it is or was trained on."""
    trained_tokens: int | None
    """So far; null until the end."""
    fine_tuned_model: str | None
    """Id of its model, where it is published."""
    weights_sha256: str | None
    """Digest of the chosen weights."""
    diagnosis: list[str]
    """What looks wrong with it, in sentences."""
    environment: dict[str, Any] | None
    """Versions and hardware that it was trained with; null until it has begun."""
    error: Reason | None
    """Why it failed; null otherwise."""

    @classmethod
    def from_row(cls, run: Run, job: Job) -> Self:
        computed = {"object", "score", "created_at", "started_at", "finished_at"}
        score = None  # a run that has not succeeded has reached points, but no result
        if run.status == RunState.SUCCEEDED:
            score = run.test_score if job.dataset["rows"]["test"] else run.validation_score
        return cls(
            **{name: getattr(run, name) for name in set(cls.model_fields) - computed},
            score=score,
            created_at=int(run.created_at),
            started_at=None if run.started_at is None else int(run.started_at),
            finished_at=None if run.finished_at is None else int(run.finished_at),
        )


class RunDetails(RunObject):
    """One run with the numbers that its diagnosis rests on, which a list of runs does without."""

    evidence: Evidence | None
    """What the run left behind for its diagnosis: losses, distances from the start by part,
    share of each answer; null until it has finished. Gradient norms by part are series of
    its metrics.
    """

    @classmethod
    def from_row(cls, run: Run, job: Job) -> Self:
        evidence = (run.result or {}).get("evidence")
        found = RunObject.from_row(run, job).model_dump(by_alias=True)
        return cls(
            **found, evidence=None if evidence is None else Evidence.model_validate(evidence)
        )


class Series(BaseModel):
    """The points of one quantity."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Of the quantity, e.g. `train_loss`."""
    total: int
    """Points in the asked range."""
    points: list[tuple[int, float]]
    """(step, value), by step."""


class RunMetrics(BaseModel):
    """The run's series in the asked range."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.run.metrics"] = "fine_tuning.run.metrics"
    job_id: str
    run_id: str
    resolution: int | None
    """As asked; null for every point."""
    series: list[Series]
    """One a name."""
