"""Responses about models, classifications and recipes."""

from typing import Any

from cli.api_models.base import ApiModel


class Encoder(ApiModel):
    """Properties of a base model; older services send none."""

    source: str | None = None
    name: str | None = None
    """What a job may give instead of the ID."""
    family: str | None = None
    parameters: int | None = None
    max_seq_length: int | None = None
    languages: tuple[str, ...] = ()
    pooling: str | None = None
    license: str | None = None
    training_memory_bytes: int | None = None
    seconds_per_step: float | None = None


class Model(ApiModel):
    id: str
    kind: str = "base"
    created: int = 0
    base_model: str | None = None
    job_id: str | None = None
    """None for a base model."""
    run_id: str | None = None
    """None for a base model."""
    labels: list[str] | None = None
    members: list[str] | None = None
    """IDs of the models of a published ensemble; None for any other model."""
    encoder: Encoder | None = None
    """None for a fine-tuned model."""


class ModelList(ApiModel):
    data: list[Model]


class Disagreement(ApiModel):
    vote_entropy: float | None
    score_std: float


class Target(ApiModel):
    """The prediction for one column of one input."""

    scores: dict[str, float]
    predicted: str | list[str] | float
    truncated: bool
    disagreement: Disagreement | None


class Classification(ApiModel):
    model: str
    members: list[str]
    results: list[dict[str, Target]]
    """One per input, keyed by the name of the predicted column."""


class Batch(ApiModel):
    """The predictions for a file."""

    members: list[str]
    output_file_id: str
    request_counts: dict[str, int]
    truncated: int


class Recipe(ApiModel):
    id: str
    description: str
    resolved_recipe: dict[str, Any]
    recipe_notes: dict[str, str]
    automatic: list[str]


class RecipeList(ApiModel):
    data: list[Recipe]
