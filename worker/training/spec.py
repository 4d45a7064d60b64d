"""Specifications of a run and of its data: the only inputs that decide its weights."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.domain.task import SplitRequest, Task
from shared.recipe import PairEncoding, Recipe


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
    base_model_name: str = "of this run"
    """Name of the base model for messages."""
    base_model_sha256: str | None = None
    """Digest that the folder must have whenever it is read; None to read any."""
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

    @property
    def pair_encoding(self) -> PairEncoding:
        """How pairs are tokenized; without a recipe, joined."""
        return "joined"


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
    teachers: list[Path] = []
    """Folders of the models whose mean prediction the training rows have as labels; empty to train
    on the labels of the file."""
    unlabelled_file: DataFile | None = None
    """Texts that a run with teachers is trained on besides the training rows; None without."""

    @property
    def pair_encoding(self) -> PairEncoding:
        return self.recipe.pair_encoding
