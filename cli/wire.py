"""What the command line reads of the service's answers. Fields it does not know are let pass, so that versions may differ."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.comparison import Comparison as _Comparison
from shared.states import JOB_ENDED, JobState, RunState


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Caution(_Read):
    code: str
    message: str


class File(_Read):
    id: str
    filename: str
    bytes: int


class Problem(_Read):
    """Why a job or a run failed."""

    code: str
    message: str


class Progress(_Read):
    percent: float
    steps_done: int
    steps_total: int
    seconds_remaining: int | None
    queue_position: int | None


class RunsSummary(_Read):
    total: int
    queued: int
    running: int
    paused: int = 0
    discarded: int = 0
    succeeded: int
    failed: int
    cancelled: int
    degenerate: int


class Job(_Read):
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
    dataset: dict[str, Any]
    recipe: dict[str, Any] = {}
    """As asked for."""
    resolved_recipe: dict[str, Any] | None
    """Every setting with its value; None only until pilots have found the automatic ones."""
    recipe_notes: dict[str, str] = {}
    pilots: dict[str, Any] | None = None
    runs_summary: RunsSummary
    progress: Progress
    warnings: list[Caution]

    @property
    def preset(self) -> str:
        recipe = self.resolved_recipe or self.recipe
        return str(recipe.get("preset", "stabilized"))

    @property
    def ended(self) -> bool:
        return self.status in JOB_ENDED


class Run(_Read):
    id: str
    index: int
    seed: int
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
    best_step: int | None = None
    device: str | None = None


class Series(_Read):
    name: str
    points: list[tuple[int, float]]
    """(step, value), by step."""


class RunMetrics(_Read):
    series: list[Series]


class JobList(_Read):
    data: list[Job]


class RunList(_Read):
    data: list[Run]


class Comparison(_Comparison):
    model_config = ConfigDict(extra="ignore")

    id: str


class Model(_Read):
    id: str
    job_id: str | None = None
    """None for a base model."""
