"""Responses about jobs, their runs and comparisons."""

from typing import Any

from pydantic import ConfigDict, Field

from cli.api_models.base import ApiModel, ApiWarning
from shared.domain.states import ENDED_JOB_STATES, JobState, RunState
from shared.report.comparison import Comparison as _Comparison


class Problem(ApiModel):
    """Why a job or a run failed."""

    code: str
    message: str


class Progress(ApiModel):
    percent: float
    steps_done: int
    steps_total: int
    seconds_remaining: int | None
    queue_position: int | None


class RunsSummary(ApiModel):
    total: int
    queued: int
    running: int
    paused: int = 0
    discarded: int = 0
    succeeded: int
    failed: int
    cancelled: int
    degenerate: int


class LabelCount(ApiModel):
    label: str
    count: int


class Dataset(ApiModel):
    rows: dict[str, int] = Field(default_factory=dict)
    """Number of rows per split."""
    labels: list[LabelCount] = Field(default_factory=list)
    """Training rows by label; empty for a regression."""


class Pilots(ApiModel):
    automatic: list[str]
    """Names of the settings that are searched."""
    reason: str | None = None
    """Why their values were chosen; None until the pilots have ended."""
    limit: int | None = None
    """Upper bound of the steps of all pilots; None for a job of an older service."""


class Job(ApiModel):
    id: str
    created_at: int
    finished_at: int | None
    model: str
    status: JobState
    training_file: str
    fine_tuned_model: str | None
    error: Problem | None
    result_files: list[str]
    metric: str
    task: dict[str, Any] = Field(default_factory=dict)
    dataset: Dataset
    recipe: dict[str, Any] = Field(default_factory=dict)
    """The recipe as requested."""
    resolved_recipe: dict[str, Any] | None
    """The recipe with a value for every setting; None until pilots have chosen."""
    artifacts: dict[str, Any] = Field(default_factory=dict)
    recipe_notes: dict[str, str] = Field(default_factory=dict)
    pilots: Pilots | None = None
    runs_summary: RunsSummary
    progress: Progress
    warnings: list[ApiWarning]

    @property
    def preset(self) -> str:
        recipe = self.resolved_recipe or self.recipe
        return str(recipe.get("preset", "stabilized"))

    @property
    def pilot_reason(self) -> str | None:
        """What pilots have chosen and why; None while they run, or without pilots."""
        return None if self.pilots is None else self.pilots.reason

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED_JOB_STATES


class JobList(ApiModel):
    data: list[Job]
    has_more: bool = False


class Run(ApiModel):
    id: str
    index: int
    seed: int
    init_seed: int | None = None
    data_seed: int | None = None
    fold: int | None = None
    purpose: str = "main"
    status: RunState
    degenerate: bool | None
    attempt: int
    step: int
    total_steps: int
    train_loss: float | None = None
    validation_score: float | None
    score: float | None
    error: Problem | None
    fine_tuned_model: str | None = None
    best_step: int | None = None
    device: str | None = None


class RunList(ApiModel):
    data: list[Run]


class Series(ApiModel):
    name: str
    points: list[tuple[int, float]]
    """(step, value) pairs, by step."""


class RunMetrics(ApiModel):
    series: list[Series]


class Event(ApiModel):
    id: str
    created_at: int
    level: str
    message: str
    run_id: str | None = None


class EventList(ApiModel):
    data: list[Event]


class Comparison(_Comparison):
    model_config = ConfigDict(extra="ignore")

    id: str


class Estimate(ApiModel):
    seconds: float | None
    reason: str
    slots: int
    steps: int


class PlannedRun(ApiModel):
    purpose: str
    seed: int
    total_steps: int


class DryRun(ApiModel):
    """A job as it would be created."""

    model: str
    task: dict[str, Any]
    recipe: dict[str, Any]
    resolved_recipe: dict[str, Any] | None
    recipe_notes: dict[str, str]
    pilots: Pilots | None
    metric: str
    dataset: Dataset
    warnings: list[ApiWarning]
    runs: list[PlannedRun]
    estimate: Estimate
