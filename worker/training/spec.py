"""What one run is, for the training package: nothing else decides its weights."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.domain.task import SplitRequest, Task
from shared.recipe import Recipe


class DataFile(BaseModel):
    """A local copy of an uploaded file; ``filename`` is the name it was uploaded under (its
    extension helps to tell the format).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    filename: str


class DataSpec(BaseModel):
    """Which rows, under which task, for which encoder, scored how: the same for every run of a
    job. Alone it is what the job's baselines are scored from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    run_id: str
    base_model: Path
    """Folder with config.json, model.safetensors and the tokenizer."""
    task: Task
    metric: str
    """The score's name (``shared.metrics``), by which the checkpoint is chosen."""
    training_file: DataFile
    validation_file: DataFile | None
    """None: the validation rows are split off the training file."""
    test_file: DataFile | None = None
    """None: test rows, if any, are those that ``split`` sets apart."""
    split: SplitRequest
    fold: int | None = None
    """Which part of a k-fold split is validated on, from 0; None for a holdout."""
    threads: int
    device: str
    """``cpu`` or ``cuda:<n>``."""


class RunSpec(DataSpec):
    """One seed of one job."""

    recipe: Recipe
    init_seed: int
    """Draws the new head and the re-initialised tensors."""
    data_seed: int
    """Orders the rows and draws the dropout."""
    output: Path
    """An existing, empty folder for the run's artefacts: ``model/`` (a transformers folder) and
    ``predictions.json``.
    """
    export: bool = True
    """False for a pilot: it is judged on the validation rows alone, and its weights are not
    kept.
    """
    stop_step: int | None = None
    """Evaluate after this step and pause there: the state to go on from is left in ``output``,
    below ``state-<step>``.
    """
    state: Path | None = None
    """Such a folder, to go on from."""
