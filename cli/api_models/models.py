"""What the service says of models and recipes, and its models of texts."""

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
    """What was said of one input."""

    scores: dict[str, float]
    predicted: str | list[str] | float
    truncated: bool
    disagreement: Disagreement | None


class Classification(ApiModel):
    model: str
    members: list[str]
    results: list[dict[str, Target]]
    """One an input, under the name of the predicted column."""


class Batch(ApiModel):
    """A file that was classified."""

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
