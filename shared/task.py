"""What is to be learned from which columns: the ``task`` of a job, as asked and as resolved against the file."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Column = ColumnName | Annotated[int, Field(ge=0, lt=10_000)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


Header = Literal["auto"] | bool


class TaskType(StrEnum):
    SINGLE_LABEL = "single_label_classification"
    MULTI_LABEL = "multi_label_classification"
    REGRESSION = "regression"


class TaskRequest(BaseModel):
    """How to read the training file; whatever is left out is detected from the file, and refused where that is ambiguous."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    type: Annotated[TaskType, Field(strict=False)] | None = None
    """Kind of task; this version trains ``single_label_classification``, of one text or of a pair."""
    text_column: Column | None = None
    """Name, or index from 0, of the column with the (first) text."""
    text_pair_column: Column | None = None
    """Name or index of the second text's column, for tasks on sentence pairs."""
    label_column: Column | None = None
    """Name or index of the column with the label."""
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
    text_column: ColumnName | int
    """By name where the file has a header, else by index."""
    text_pair_column: ColumnName | int | None
    label_column: ColumnName | int
    header: bool
    label_names: list[str]
    """Index in this list = the model's output index."""
    positive_label: str | None
    """Set for two labels only."""
    max_seq_length: int


class SplitRequest(BaseModel):
    """How rows are set apart when no validation file is given; the same for every seed, so that variance is the model's."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    validation_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Share of each label's rows kept for choosing the checkpoint; not used when a validation file is given."""
    test_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of each label's rows kept for a test score; 0 for none."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split alone, independent of the runs' seeds, so that jobs on the same data are comparable."""
