"""Responses about models, classifications and recipes."""

from typing import Any

from cli.api_models.base import ApiModel


class Model(ApiModel):
    id: str
    job_id: str | None = None
    """None for a base model."""


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
