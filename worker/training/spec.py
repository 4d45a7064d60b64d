"""Specifications of a run and of its data: the only inputs that decide its weights."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.domain.task import SplitRequest, Task
from shared.recipe import Recipe


class DataFile(BaseModel):
    """Local copy of an uploaded file.

    ``filename`` is the uploaded name; its extension helps to detect the format.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    filename: str


class DataSpec(BaseModel):
    """Rows, task, encoder and metric: the same for every run of a job, and for its baselines."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    run_id: str
    base_model: Path
    """Folder with config.json, model.safetensors and the tokenizer."""
    task: Task
    metric: str
    """Name of the metric (``shared.metrics``) that chooses the checkpoint."""
    training_file: DataFile
    validation_file: DataFile | None
    """None if the validation rows are split off the training file."""
    test_file: DataFile | None = None
    """None if there are no test rows, or ``split`` takes them from the training file."""
    split: SplitRequest
    fold: int | None = None
    """Fold of a k-fold split to validate on, from 0; None for a holdout."""
    threads: int
    device: str
    """``cpu`` or ``cuda:<n>``."""


class RunSpec(DataSpec):
    """One seed of one job."""

    recipe: Recipe
    init_seed: int
    """Draws the new head and the re-initialized tensors."""
    data_seed: int
    """Orders the rows and draws the dropout."""
    output: Path
    """Existing, empty folder for the artifacts ``model/`` (for transformers) and
    ``predictions.json``."""
    export: bool = True
    """False for a pilot: it is scored on the validation rows only, and its weights are dropped."""
    stop_step: int | None = None
    """Step to evaluate and pause after; the resume state is written to ``state-<step>`` in
    ``output``."""
    state: Path | None = None
    """Folder of the resume state to continue from."""
