"""The JSON that planning a job stores in its row: warnings, facts about the data, baselines."""

from urllib.parse import urlsplit

from pydantic import ConfigDict, Field

from shared.domain.stored import OptionalKey, StoredModel
from shared.domain.visible_text import Prose

SINGLE_SEED_WARNING = "single_seed"
"""Code of the warning that no longer applies once seeds are added to a job."""
TRUNCATION_WARNING = "truncated_texts"
"""Code of the warning that planning gives, or else the first run."""


class JobWarning(StoredModel):
    """A caveat about a job's data or numbers, as in ``Job.warnings``."""

    code: str
    message: Prose


class WebhookTarget(StoredModel):
    """Where to send the notice of a job's end."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: str
    secret: str = Field(repr=False)
    """Key of the signature; it is never returned."""

    @property
    def host(self) -> str:
        """Name or address of the receiver, without port."""
        return urlsplit(self.url).hostname or ""


class SealedWebhook(StoredModel):
    """A ``WebhookTarget`` as rows have it: only the receiver's host can be read."""

    host: str
    sealed: str = Field(repr=False)
    """JSON of the target, encrypted."""
    key_id: str
    """Name of the key that encrypted it."""


StoredWebhook = SealedWebhook | WebhookTarget
"""As in ``Job.webhook``; rows older than the encryption have the target itself."""


class RowCounts(StoredModel):
    """Number of rows per split, and of unlabelled texts."""

    train: int
    validation: int
    test: int
    unlabelled: OptionalKey[int] = None
    """Texts of the unlabelled file that are not among the training rows, each counted once; None
    without such a file."""

    @property
    def by_split(self) -> dict[str, int]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


class LabelCount(StoredModel):
    """Number of training rows with a label."""

    label: str
    count: int


class NumericSummary(StoredModel):
    """Distribution of a regression's training labels; ``std`` is that of a population."""

    mean: float
    std: float
    min: float
    max: float


class LeakSummary(StoredModel):
    """Rows of a split whose text is also a training row's."""

    rows: int
    """Number of these rows."""
    first_rows: list[int]
    conflicting_labels: int
    """Number of these rows that have another label in training."""


class HubSource(StoredModel):
    """A file that was requested as a data set of the hub."""

    asked: str
    """The reference, ``hf://…``."""
    filename: str
    """Name of the downloaded file, which includes the commit."""


class DatasetFacts(StoredModel):
    """Facts about a job's data, as in ``Job.dataset``; of a k-fold split those of fold 0."""

    rows: RowCounts
    labels: OptionalKey[list[LabelCount]] = None
    training_sha256: str | None = None
    validation_sha256: str | None = None
    test_sha256: str | None = None
    unlabelled_sha256: OptionalKey[str] = None
    filenames: OptionalKey[dict[str, str]] = None
    """Names of the files by the request's field, for reports that outlive the files."""
    leakage: OptionalKey[dict[str, LeakSummary]] = None
    """Split -> rows whose text is also a training row's; without the splits that have none."""
    numbers: OptionalKey[NumericSummary] = None
    """For a regression."""
    folds: OptionalKey[int] = None
    """For a k-fold split."""
    hub: OptionalKey[dict[str, HubSource]] = None
    """By the request's field, for files that came from the hub."""
    max_positions: OptionalKey[int] = None
    """Longest input of the base model in tokens, the limit of ``max_seq_length``."""


class BaselineScore(StoredModel):
    """Score of a model that was not fine-tuned."""

    name: str
    score: float | None


BaselineScores = dict[str, list[BaselineScore]]
"""Split -> scores, as in ``Job.baselines``."""
