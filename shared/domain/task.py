"""The ``task`` and ``split`` of a job, as requested and as resolved against its files."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.domain.stored import StoredModel

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ColumnReference = ColumnName | Annotated[int, Field(ge=0, lt=10_000)]
LabelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]


Header = Literal["auto"] | bool
Label = int | float | tuple[int, ...]
"""A label or a prediction: the index of a class, a number (regression), or ascending class
indices.
"""


class TaskType(StrEnum):
    SINGLE_LABEL = "single_label_classification"
    MULTI_LABEL = "multi_label_classification"
    REGRESSION = "regression"


DEFAULT_FOLDS = 5
MAX_SEQ_LENGTH = 8192
"""Largest ``max_seq_length`` that a job may request, whatever the model."""
REGRESSION_OUTPUT = "score"
"""Name of the single output of a regression."""


class TaskRequest(BaseModel):
    """How to read the training file. Fields that are left out are inferred from the file; an
    ambiguous file is refused.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    type: Annotated[TaskType, Field(strict=False)] | None = None
    """Kind of task, for single texts or pairs. Default: inferred from the labels (lists of
    labels: multi-label; numbers that are not class numbers: regression, with a warning),
    otherwise ``single_label_classification``.
    """
    text_column: ColumnReference | None = None
    """Name, or index from 0, of the column with the (first) text."""
    text_pair_column: ColumnReference | None = None
    """Name or index of the second text's column, for tasks on pairs of texts."""
    label_column: ColumnReference | None = None
    """Name or index of the label column. Its values are label names; for a regression, numbers;
    for a multi-label task, lists of names (JSON, Parquet) or names joined by ``|`` (CSV, TSV),
    empty for a row without labels.
    """
    header: Header = "auto"
    """Whether the first line of a CSV or TSV file names the columns."""
    label_names: Annotated[list[LabelName], Field(min_length=2, max_length=5000)] | None = None
    """Labels in the order of the model's outputs. Default: sorted, as numbers if all are
    integers. They also name the places of labels that are vectors of 0 and 1.
    """
    positive_label: LabelName | None = None
    """The label that binary F1 refers to. Default: the second of two label names."""
    max_seq_length: Literal["auto"] | Annotated[int, Field(ge=8, le=MAX_SEQ_LENGTH)] = "auto"
    """Longest input in tokens; longer ones are truncated and counted. ``auto`` is 128 (as in
    the paper) or the model's limit if that is lower.
    """


class Task(BaseModel):
    """A task with a value for every field, as stored with the job and used by the worker."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: TaskType
    """Kind of task."""
    text_column: ColumnName | int
    """Column name if the file has a header, else index."""
    text_pair_column: ColumnName | int | None
    """Name or index; null for single texts."""
    label_column: ColumnName | int
    """Name or index of the label column."""
    header: bool
    """Whether the first line of a CSV or TSV file names the columns."""
    label_names: list[str]
    """Class names; the position in this list is the model's output index. Empty for regression."""
    positive_label: str | None
    """Set only for single-label tasks with two labels."""
    max_seq_length: int
    """Longest input in tokens; longer inputs are truncated."""

    @property
    def output_names(self) -> list[str]:
        """Names of the model's outputs: the labels, or the single number of a regression."""
        return self.label_names or [REGRESSION_OUTPUT]

    @property
    def num_outputs(self) -> int:
        return len(self.output_names)


class ForeignTask(StoredModel):
    """A task that another version stored, with settings that this version does not know."""

    type: str | None = None
    text_column: str | int | None = None
    text_pair_column: str | int | None = None
    label_column: str | int | None = None
    label_names: list[str] = Field(default_factory=list)
    positive_label: str | None = None
    max_seq_length: int


StoredTask = Annotated[Task | ForeignTask, Field(union_mode="left_to_right")]
"""A task as in ``Job.task``."""


class SplitRequest(BaseModel):
    """How validation and test rows are chosen where no file is given for them. The same for
    every seed, so that the variance is the model's.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    mode: Literal["holdout", "kfold"] = "holdout"
    """``holdout``: one set of validation rows. ``kfold``: every seed is trained ``k`` times,
    each time validated on a different one of ``k`` parts.
    """
    k: Annotated[int, Field(ge=2, le=20)] | None = None
    """Number of parts of a k-fold split; default 5."""
    validation_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Share of each label's rows (regression: of each tenth of the rows by rank) used to choose
    the checkpoint. Ignored if a validation file is given.
    """
    test_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of each label's rows used for a test score; 0 for none."""
    halve_validation: bool = False
    """The paper's protocol: the validation rows, given or split off, are halved within each
    label. One half chooses the checkpoint, the other is the test set.
    """
    group_by: ColumnReference | None = None
    """Name or index of a column; rows with equal values there stay in the same part of a split."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of the split, independent of the runs' seeds, so that jobs on the same data are
    comparable.
    """

    @property
    def folds(self) -> int | None:
        """Number of parts of a k-fold split; None for a holdout."""
        return (self.k or DEFAULT_FOLDS) if self.mode == "kfold" else None


class ForeignSplit(StoredModel):
    """A split that another version stored, with settings that this version does not know."""


StoredSplit = Annotated[SplitRequest | ForeignSplit, Field(union_mode="left_to_right")]
"""A split as in ``Job.split``."""
