"""Runs and their metric series on the wire."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from api.listing import Identified
from shared.db.tables import Job, Run
from shared.errors import Reason
from shared.evidence import Evidence
from shared.states import RunState


class RunObject(Identified):
    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.run"] = "fine_tuning.run"
    job_id: str
    index: int
    seed: int
    init_seed: int
    data_seed: int
    fold: int | None
    """Which part of the training file it is validated on, from 0, under k-fold."""
    purpose: str
    recipe: dict[str, Any] | None
    """A pilot's own recipe; null: the job's."""
    status: str
    degenerate: bool | None
    """Whether it ended no better than a constant answer; null until it has ended."""
    attempt: int
    step: int
    total_steps: int
    train_loss: float | None
    validation_score: float | None
    test_score: float | None
    score: float | None
    """The result of a succeeded run: its test score where there is a test split, else the validation score."""
    best_step: int | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    worker: str | None
    device: str | None
    trained_tokens: int | None
    fine_tuned_model: str | None
    weights_sha256: str | None
    diagnosis: list[str]
    environment: dict[str, Any] | None
    error: Reason | None

    @classmethod
    def of(cls, run: Run, job: Job) -> Self:
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
    """What the run left behind for its diagnosis: losses, distances from the start by part, share of each answer; null until it has
    finished. Gradient norms by part are series of its metrics."""

    @classmethod
    def of(cls, run: Run, job: Job) -> Self:
        evidence = (run.result or {}).get("evidence")
        found = RunObject.of(run, job).model_dump(by_alias=True)
        return cls(**found, evidence=None if evidence is None else Evidence.model_validate(evidence))


class Series(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    total: int
    """Points in the asked range."""
    points: list[tuple[int, float]]
    """(step, value), by step."""


class RunMetrics(BaseModel):
    object: Literal["fine_tuning.run.metrics"] = "fine_tuning.run.metrics"
    job_id: str
    run_id: str
    resolution: int | None
    series: list[Series]
