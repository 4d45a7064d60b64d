"""Response schemas of runs and their metric series."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from api.pagination import Identified
from shared.db.tables import Job, Run
from shared.domain.errors import Reason
from shared.domain.run_evidence import Evidence
from shared.domain.states import RunState
from shared.domain.stored import dump_stored
from shared.metrics.run_result import TrainedResult

# an alias, because the field named object hides the type within the class
StoredJson = dict[str, object]


class RunObject(Identified):
    """One training run of a job, from one seed."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.run"] = "fine_tuning.run"
    """Kind of object."""
    job_id: str
    """ID of the job."""
    index: int
    """Position among the job's runs, from 0."""
    seed: int
    """Number that identifies the run; outside a grid of seeds also its `init_seed` and
    `data_seed`."""
    init_seed: int
    """Seed of the newly initialized weights."""
    data_seed: int
    """Seed of the row order and of dropout."""
    fold: int | None
    """Fold of the training file that it is validated on, from 0; null without k-fold."""
    purpose: str
    """`main`: the run counts in the report. `pilot`, `baselines`, `distillation`: further runs of
    the job."""
    recipe: StoredJson | None
    """Recipe of a pilot or distillation; null if the run has the job's recipe."""
    status: str
    """State of the run: `queued`, `running` or `paused`; finally `succeeded`, `failed`, `cancelled`
    or `discarded`."""
    degenerate: bool | None
    """Whether it scored no better than a constant prediction; null until it has ended."""
    attempt: int
    """Number of times that training was started."""
    step: int
    """Optimizer steps done."""
    total_steps: int
    """Optimizer steps in total."""
    train_loss: float | None
    """Latest training loss."""
    validation_score: float | None
    """Best validation score so far: that of the selected checkpoint."""
    test_score: float | None
    """Test score of the selected checkpoint; null until the run has ended, or without test
    rows."""
    score: float | None
    """Result of a succeeded run: its test score if there are test rows, else its validation
    score."""
    best_step: int | None
    """Step of the selected checkpoint."""
    created_at: int
    """Creation time, Unix seconds."""
    started_at: int | None
    """Start of the training, Unix seconds; null until then."""
    finished_at: int | None
    """End of the run, Unix seconds; null until then."""
    worker: str | None
    """Worker slot that trains it, or trained it last; null until it has started."""
    device: str | None
    """Device that it trains on, or trained on last; null until it has started."""
    trained_tokens: int | None
    """Tokens that it was trained on; null until it has ended."""
    fine_tuned_model: str | None
    """ID of the run's model; null if none is published."""
    weights_sha256: str | None
    """SHA-256 digest of the selected checkpoint's weights."""
    diagnosis: list[str]
    """Problems found in the training, one sentence each."""
    environment: StoredJson | None
    """Versions and hardware that it was trained with; null until it has started."""
    error: Reason | None
    """Why it failed; null otherwise."""

    @classmethod
    def from_row(cls, run: Run, job: Job) -> Self:
        computed = {"object", "score", "recipe", "created_at", "started_at", "finished_at"}
        return cls(
            **{name: getattr(run, name) for name in set(cls.model_fields) - computed},
            recipe=None if run.recipe is None else dump_stored(run.recipe),
            score=_get_score(run, job),
            created_at=int(run.created_at),
            started_at=None if run.started_at is None else int(run.started_at),
            finished_at=None if run.finished_at is None else int(run.finished_at),
        )


def _get_score(run: Run, job: Job) -> float | None:
    """Return the run's result; a run that has not succeeded has scores but no result."""
    if run.status != RunState.SUCCEEDED:
        return None
    return run.test_score if job.dataset.rows.test else run.validation_score


class RunDetails(RunObject):
    """A run with the evidence for its diagnosis, which lists leave out."""

    evidence: Evidence | None
    """Measurements behind the diagnosis: losses, distance of the weights from their start by
    module group, share of each predicted label; null until the run has finished. Gradient norms
    by module group are series of its metrics."""

    @classmethod
    def from_row(cls, run: Run, job: Job) -> Self:
        evidence = run.result.evidence if isinstance(run.result, TrainedResult) else None
        return cls(**RunObject.from_row(run, job).model_dump(by_alias=True), evidence=evidence)


class Series(BaseModel):
    """The points of one metric."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """Name of the metric, for example `train_loss`."""
    total: int
    """Number of points in the requested range, before downsampling."""
    points: list[tuple[int, float]]
    """Pairs of step and value, in the order of the steps."""


class RunMetrics(BaseModel):
    """The metric series of a run in the requested range."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.run.metrics"] = "fine_tuning.run.metrics"
    """Kind of object."""
    job_id: str
    """ID of the job."""
    run_id: str
    """ID of the run."""
    resolution: int | None
    """Requested maximum number of points; null if all points are returned."""
    series: list[Series]
    """One series per metric."""
