"""Classifications on the wire: the shape of Mistral's endpoint, with the answer, truncation and
disagreement beside the scores.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

from shared.domain.task import Column, Header

MAX_INPUTS = 1000
Text = Annotated[str, StringConstraints(min_length=1)]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class TextPair(BaseModel):
    """One input; ``text_b`` for a model that was trained on pairs, and for no other."""

    model_config = _STRICT

    text_a: Text
    """The text, or the first of a pair."""
    text_b: Text | None = None
    """The second text of a pair."""


def _get_input_form(value: Any) -> str | None:
    """Which of the forms it is meant to be, so that a complaint is about that one alone; in
    brackets, as no part of the path.
    """
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
        custom_error_message="a text, or an object with text_a",
    ),
]
Inputs = Annotated[list[Input], Field(min_length=1, max_length=MAX_INPUTS)]


class ClassificationRequest(BaseModel):
    """Which model is to answer, and to what."""

    model_config = _STRICT

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Id of a fine-tuned model, as ``fine_tuned_model`` of a job has it."""
    input: Annotated[
        _SingleInput | Annotated[Inputs, Tag("(list)")],
        Discriminator(
            _get_input_form,
            custom_error_type="input_form",
            custom_error_message="a text, an object with text_a, or a list of them",
        ),
    ]
    """A text, a pair of texts, or up to a thousand of them."""
    ensemble: bool = False
    """Whether all models that the model's job has kept (``artifacts.keep: "all_runs"``) answer
    together: their mean score, with how far they disagree. Runs that are degenerate are left
    out, unless all are.
    """
    return_all_scores: bool = True
    """Whether the score of every label is told, or of the predicted ones alone."""


class BatchRequest(BaseModel):
    """Which model is to answer, and to which file's rows."""

    model_config = _STRICT

    model: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Id of a fine-tuned model."""
    input_file: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """An uploaded file of any format that jobs take, up to 20,000 rows; it needs no labels."""
    text_column: Column | None = None
    """Name or index of the column with the (first) text; default: as in the file that the model
    was trained on.
    """
    text_pair_column: Column | None = None
    """Name or index of the second text's column, for a model that was trained on pairs; default
    as above.
    """
    header: Header | None = None
    """Whether the first line of a CSV or TSV file names the columns; default: as in the file
    that the model was trained on.
    """
    ensemble: bool = False
    """As of a classification."""


class RequestCounts(BaseModel):
    """How many rows were classified."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    total: int
    """Rows of the file."""
    completed: int
    """Rows that were classified."""
    failed: int
    """Rows that were not; a file is classified as a whole or not at all, so always 0."""


class BatchObject(BaseModel):
    """A file that was classified. The official client's batches have the same names for what is
    the same.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    object: Literal["classification.batch"] = "classification.batch"
    status: Literal["completed"] = "completed"
    """Always `completed`: the answer comes when all rows are done."""
    created_at: int
    completed_at: int
    """When the last row was done, unix seconds."""
    model: str
    """The model that was asked."""
    members: list[str]
    """The models that answered: the one, or those of the ensemble."""
    input_file_id: str
    """The file that was classified."""
    output_file_id: str
    """CSV with purpose ``fine-tune-results``: ``row`` (from 1), ``predicted`` (several labels
    joined by ``|``), ``p(<label>)`` of every label, of an ensemble ``vote_entropy`` and
    ``score_std``, and ``truncated`` (0 or 1).
    """
    request_counts: RequestCounts
    """How many rows."""
    truncated: int
    """How many rows were longer than what the model reads."""
    tokens: int
    """Read, over all rows."""


class DisagreementObject(BaseModel):
    """How far the members of an ensemble are apart."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    vote_entropy: float | None
    """Entropy of the members' votes: 0 where all agree, 1 where they are as far apart as they
    can be; null for a regression.
    """
    score_std: float
    """Standard deviation over the members of the answer's score."""


class ClassificationTarget(BaseModel):
    """The answer to one input."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    scores: dict[str, float]
    """Label -> probability, in the order of the model's outputs; of a regression, ``score`` ->
    its number.
    """
    predicted: str | list[str] | float
    """The label; for a multi-label model those above one half; for a regression the number."""
    truncated: bool
    """Whether the input had more tokens than the model was trained with, so that its end was
    not read.
    """
    disagreement: DisagreementObject | None
    """Null without ``ensemble``."""


class ClassificationUsage(BaseModel):
    """What was read."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    prompt_tokens: int
    """Tokens of the inputs, as far as they were read."""
    total_tokens: int
    """The same: nothing is generated."""


class ClassificationObject(BaseModel):
    """What the model, or the ensemble, says of each input."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    object: Literal["classification"] = "classification"
    created: int
    """Unix seconds."""
    model: str
    """The model that was asked."""
    members: list[str]
    """The models that answered: the one, or those of the ensemble."""
    labels: list[str]
    """In the order of the model's outputs; empty for a regression."""
    results: list[dict[str, ClassificationTarget]]
    """One an input, in their order, each under the name of the column that the model learned to
    predict (``label`` where it had none).
    """
    truncated: int
    """How many inputs were."""
    usage: ClassificationUsage
    """Tokens read, an input counted once, however many models answered."""
