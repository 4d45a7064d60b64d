"""Request and response schemas of classifications.

They follow Mistral's endpoint, with the prediction, truncation and disagreement beside the scores.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from api.strict_request import StrictRequest
from shared.domain.task import ColumnReference, Header

MAX_INPUTS = 1000
MAX_SHORT_INPUTS = 32
MAX_SHORT_CHARACTERS = 32_000
"""Of a request that does not count as a long one, whose memory and time need a bound."""
Text = Annotated[str, StringConstraints(min_length=1)]


class TextPair(StrictRequest):
    """One input; ``text_b`` is required by a model trained on pairs, and refused by any other."""

    text_a: Text
    """The text, or the first text of a pair."""
    text_b: Text | None = None
    """The second text of a pair."""

    @property
    def character_count(self) -> int:
        return len(self.text_a) + len(self.text_b or "")


def _get_input_form(value: object) -> str | None:
    """Return the tag of the form that the value has, so that errors are about that form alone."""
    if isinstance(value, str):
        return "(text)"
    if isinstance(value, list):
        return "(list)"
    return "(pair)" if isinstance(value, dict | TextPair) else None


_SingleInput = Annotated[Text, Tag("(text)")] | Annotated[TextPair, Tag("(pair)")]
Input = Annotated[
    _SingleInput,
    Discriminator(
        _get_input_form,
        custom_error_type="input_form",
        custom_error_message="must be a text, or an object with text_a",
    ),
]
Inputs = Annotated[list[Input], Field(min_length=1, max_length=MAX_INPUTS)]


class ClassificationRequest(StrictRequest):
    """A model and the inputs to classify."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """ID of a fine-tuned model, for example the ``fine_tuned_model`` of a job. If the job has
    published an ensemble under it, the ensemble answers; an ID with a seed names one run."""
    input: Annotated[
        _SingleInput | Annotated[Inputs, Tag("(list)")],
        Discriminator(
            _get_input_form,
            custom_error_type="input_form",
            custom_error_message="must be a text, an object with text_a, or a list of them",
        ),
    ]
    """A text, a pair of texts, or a list of up to 1,000 of them."""
    ensemble: bool = False
    """Whether to average the scores of all models that the model's job has kept
    (a published ensemble, or ``artifacts.keep: "all_runs"``), and to report their disagreement.
    Models of degenerate runs are left out unless all are degenerate."""
    return_all_scores: bool = True
    """Whether to return the score of every label, or only those of the predicted labels."""

    @property
    def is_long(self) -> bool:
        """Whether it has more than a few texts, or long ones."""
        inputs = self.input if isinstance(self.input, list) else [self.input]
        characters = sum(
            len(item) if isinstance(item, str) else item.character_count for item in inputs
        )
        return len(inputs) > MAX_SHORT_INPUTS or characters > MAX_SHORT_CHARACTERS


class BatchRequest(StrictRequest):
    """A model and the file whose rows to classify."""

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """ID of a fine-tuned model."""
    input_file: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """ID of an uploaded file in any format that jobs accept, up to 20,000 rows; labels are not
    needed."""
    text_column: ColumnReference | None = None
    """Name or index of the column with the (first) text; default: as in the model's training
    file."""
    text_pair_column: ColumnReference | None = None
    """Name or index of the column with the second text, for a model trained on pairs; default: as
    in the model's training file."""
    header: Header | None = None
    """Whether the first line of a CSV or TSV file names the columns; default: as in the model's
    training file."""
    ensemble: bool = False
    """Whether to average the scores of all models that the model's job has kept."""


class RequestCounts(BaseModel):
    """Counts of the classified rows."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    total: int
    """Rows in the file."""
    completed: int
    """Classified rows."""
    failed: int
    """Always 0: a file is classified completely or not at all."""


class BatchObject(BaseModel):
    """A classified file; field names follow the official client's batches."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique ID of the batch."""
    object: Literal["classification.batch"] = "classification.batch"
    """Kind of object."""
    status: Literal["completed"] = "completed"
    """Always `completed`: the response is sent when all rows are classified."""
    created_at: int
    """Start of the classification, Unix seconds."""
    completed_at: int
    """End of the classification, Unix seconds."""
    model: str
    """ID of the requested model."""
    members: list[str]
    """IDs of the models that classified: the requested one, or those of the ensemble."""
    input_file_id: str
    """ID of the classified file."""
    output_file_id: str
    """ID of the result file, CSV with purpose ``fine-tune-results``. Columns: ``row`` (from 1),
    ``predicted`` (several labels joined by ``|``), ``p(<label>)`` for every label,
    ``vote_entropy`` and ``score_std`` for an ensemble, ``truncated`` (0 or 1)."""
    request_counts: RequestCounts
    """Counts of the classified rows."""
    truncated: int
    """Number of rows that were longer than the model's maximum length."""
    tokens: int
    """Number of tokens of all rows, after truncation."""


class DisagreementObject(BaseModel):
    """Disagreement between the models of an ensemble on one input."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    vote_entropy: float | None
    """Normalized entropy of the models' votes, from 0 (all agree) to 1; null for a regression."""
    score_std: float
    """Standard deviation of the predicted label's score over the models."""


class ClassificationTarget(BaseModel):
    """Prediction for one input."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    scores: dict[str, float]
    """Probability by label, in the order of the model's outputs; for a regression, the predicted
    number under ``score``."""
    predicted: str | list[str] | float
    """The most probable label; for a multi-label model all labels with a probability above 0.5;
    for a regression the number."""
    truncated: bool
    """Whether the input exceeded the model's maximum length, so that its end was not read."""
    disagreement: DisagreementObject | None
    """Disagreement of the ensemble; null for a single model."""


class ClassificationUsage(BaseModel):
    """Number of tokens read."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    prompt_tokens: int
    """Tokens of the inputs after truncation."""
    total_tokens: int
    """Equal to `prompt_tokens`: no tokens are generated."""


class ClassificationObject(BaseModel):
    """Predictions of the model, or of the ensemble, for each input."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique ID of the classification."""
    object: Literal["classification"] = "classification"
    """Kind of object."""
    created: int
    """Time of the response, Unix seconds."""
    model: str
    """ID of the requested model."""
    members: list[str]
    """IDs of the models that classified: the requested one, or those of the ensemble."""
    labels: list[str]
    """Label names in the order of the model's outputs; empty for a regression."""
    results: list[dict[str, ClassificationTarget]]
    """One entry per input, in order. Its key is the label column of the training file, or
    ``label`` if that has no name."""
    truncated: int
    """Number of truncated inputs."""
    usage: ClassificationUsage
    """Number of tokens read; an ensemble counts each input once."""
