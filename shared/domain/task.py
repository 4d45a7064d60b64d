"""What is to be learned from which columns: the ``task`` of a job, as asked and as resolved against the file."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Column = ColumnName | Annotated[int, Field(ge=0, lt=10_000)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


Header = Literal["auto"] | bool
Label = int | float | tuple[int, ...]
"""What a row is labelled with, or answered with: the index of a label, a number (regression), or the indices of its labels, ascending."""


class TaskType(StrEnum):
    SINGLE_LABEL = "single_label_classification"
    MULTI_LABEL = "multi_label_classification"
    REGRESSION = "regression"


DEFAULT_FOLDS = 5
NUMBER = "score"
"""The name of a regression's one output."""


class TaskRequest(BaseModel):
    """How to read the training file; whatever is left out is detected from the file, and refused where that is ambiguous."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    type: Annotated[TaskType, Field(strict=False)] | None = None
    """Kind of task, of one text or of a pair; default: told from the labels (lists of labels: multi-label; numbers that are no class
    numbers: regression, with a warning), else ``single_label_classification``."""
    text_column: Column | None = None
    """Name, or index from 0, of the column with the (first) text."""
    text_pair_column: Column | None = None
    """Name or index of the second text's column, for tasks on sentence pairs."""
    label_column: Column | None = None
    """Name or index of the column with the label: a name, a number for regression, or for multi-label a list of names (JSON,
    Parquet) or names joined by ``|`` (CSV, TSV), none for a row without labels."""
    header: Header = "auto"
    """Whether the first line of a CSV or TSV file names the columns."""
    label_names: Annotated[list[LabelName], Field(min_length=2, max_length=5000)] | None = None
    """The labels in the order of the model's outputs; default: sorted (as numbers where all are integers)."""
    positive_label: LabelName | None = None
    """The label that binary F1 is about; default: the second of two label names."""
    max_seq_length: Literal["auto"] | Annotated[int, Field(ge=8, le=8192)] = "auto"
    """Longest input in tokens, longer ones are truncated and counted; ``auto`` is 128 (the paper's) or the model's limit if smaller."""


class Task(BaseModel):
    """A task with a value for everything, as stored on the job and carried out by the worker."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: TaskType
    """Kind of task."""
    text_column: ColumnName | int
    """By name where the file has a header, else by index."""
    text_pair_column: ColumnName | int | None
    """By name or index; null for single texts."""
    label_column: ColumnName | int
    """By name or index."""
    header: bool
    """Whether the first line of a CSV or TSV file names the columns."""
    label_names: list[str]
    """Index in this list = the model's output index; empty for regression."""
    positive_label: str | None
    """Set for single labels of two names only."""
    max_seq_length: int
    """Longest input in tokens; what is longer is truncated."""

    @property
    def outputs(self) -> list[str]:
        """What the model's outputs are called: the labels, or the one number of a regression."""
        return self.label_names or [NUMBER]

    @property
    def num_outputs(self) -> int:
        return len(self.outputs)


class SplitRequest(BaseModel):
    """How rows are set apart where no file is given for them; the same for every seed, so that variance is the model's."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    mode: Literal["holdout", "kfold"] = "holdout"
    """``holdout``: one set of validation rows. ``kfold``: every seed is trained ``k`` times, validated on another k-th of the rows."""
    k: Annotated[int, Field(ge=2, le=20)] | None = None
    """Parts of a k-fold split; 5 unless said otherwise."""
    validation_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Share of each label's rows (regression: of each tenth of the numbers' range by rank) kept for choosing the checkpoint; not used
    when a validation file is given."""
    test_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of each label's rows kept for a test score; 0 for none."""
    halve_validation: bool = False
    """The paper's protocol: the validation rows, given or split off, are halved within each label; one half chooses the checkpoint, the
    other is the test."""
    group_by: Column | None = None
    """Name or index of a column; rows with the same value there never fall into different parts of a file's split."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split alone, independent of the runs' seeds, so that jobs on the same data are comparable."""

    @property
    def folds(self) -> int | None:
        """Parts of a k-fold split; None for a holdout."""
        return (self.k or DEFAULT_FOLDS) if self.mode == "kfold" else None
