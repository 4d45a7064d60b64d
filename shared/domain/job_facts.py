"""The JSON that planning a job stores in its row: warnings, facts about the data, baselines."""

from typing import NotRequired

from typing_extensions import TypedDict


class JobWarning(TypedDict):
    """A caveat about a job's data or numbers, as in ``Job.warnings``."""

    code: str
    message: str


class RowCounts(TypedDict):
    """Number of rows per split."""

    train: int
    validation: int
    test: int


class LabelCount(TypedDict):
    """Number of training rows with a label."""

    label: str
    count: int


class NumericSummary(TypedDict):
    """Distribution of a regression's training labels; ``std`` is that of a population."""

    mean: float
    std: float
    min: float
    max: float


class HubSource(TypedDict):
    """A file that was requested as a data set of the hub."""

    asked: str
    """The reference, ``hf://…``."""
    filename: str
    """Name of the downloaded file, which includes the commit."""


class DatasetFacts(TypedDict):
    """Facts about a job's data, as in ``Job.dataset``; of a k-fold split those of fold 0."""

    rows: RowCounts
    labels: list[LabelCount]
    training_sha256: str | None
    validation_sha256: str | None
    test_sha256: str | None
    leakage: dict[str, dict[str, object]]
    """Split -> rows whose text is also a training row's; without the splits that have none."""
    numbers: NotRequired[NumericSummary]
    """For a regression."""
    folds: NotRequired[int]
    """For a k-fold split."""
    hub: NotRequired[dict[str, HubSource]]
    """By the request's field, for files that came from the hub."""


class BaselineScore(TypedDict):
    """Score of a model that was not fine-tuned."""

    name: str
    score: float | None


BaselineScores = dict[str, list[BaselineScore]]
"""Split -> scores, as in ``Job.baselines``."""
