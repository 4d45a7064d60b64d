"""Response schemas of a dry run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api.jobs.schemas import StoredJson
from shared.report.schemas import Caution


class PlannedRun(BaseModel):
    """A run that the job would have."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    index: int
    """Position among the runs of the same purpose, from 0."""
    purpose: str
    """`main`; `pilot` for a run that helps to choose automatic settings; or `distillation`."""
    seed: int
    """Seed that identifies the run; it equals `init_seed`."""
    init_seed: int
    """Seed of the newly initialized weights."""
    data_seed: int
    """Seed of the row order and of dropout."""
    fold: int | None
    """Fold that the run is validated on, from 0; null without a k-fold split."""
    total_steps: int
    """Planned optimizer steps."""


class Estimate(BaseModel):
    """Estimated duration of the runs on the current workers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    seconds: float | None
    """Training time from the start of the first run; null if no comparable run has been trained on
    this installation."""
    reason: str
    """What the estimate is based on, or why there is none."""
    slots: int
    """Number of runs that can be trained at the same time."""
    steps: int
    """Optimizer steps of all runs, pilots included."""


class DryRun(BaseModel):
    """The plan of a job that is not created: resolved settings, runs and their duration."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.job.dry_run"] = "fine_tuning.job.dry_run"
    """Always `fine_tuning.job.dry_run`."""
    model: str
    """The requested model."""
    resolved_model_revision: str | None
    """The commit that the base model was resolved to; null for a model that is not of the hub."""
    training_file: str
    """ID of the training file."""
    validation_file: str | None
    """ID of the validation file; null if the validation rows are split off the training file."""
    test_file: str | None
    """ID of the test file; null without one."""
    unlabelled_file: str | None
    """ID of the file with further texts for a distillation; null without one."""
    task: StoredJson
    """The task with a value for every setting."""
    split: StoredJson
    """The requested split."""
    recipe: StoredJson
    """The requested recipe."""
    resolved_recipe: StoredJson | None
    """The recipe with a value for every setting; null if pilots would search for automatic
    settings."""
    recipe_notes: dict[str, str]
    """Why each automatic or adapted setting has its value."""
    pilots: StoredJson | None
    """The candidates for the automatic settings; null without pilots."""
    early_discard: StoredJson | None
    """The requested early discard; null without one."""
    metric: str
    """Metric of the report."""
    threads: int
    """CPU threads of each trainer."""
    dataset: StoredJson
    """Number of rows per split, label counts, and digests of the files."""
    baselines: StoredJson
    """Scores without fine-tuning that are already known."""
    warnings: list[Caution]
    """What to know before training, the worst first."""
    runs: list[PlannedRun]
    """The runs in the order of their training, pilots first."""
    estimate: Estimate
    """Estimated duration of the runs on the current workers."""
