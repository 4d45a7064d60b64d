"""Response schema of recipes."""

from typing import Literal

from pydantic import ConfigDict

from api.pagination import Identified
from shared.recipe import Recipe

# an alias, because the field named object hides the type within the class
PresetSettings = dict[str, object]


class RecipeObject(Identified):
    """A preset, which a job selects by `recipe.preset`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["fine_tuning.recipe"] = "fine_tuning.recipe"
    """Kind of object."""
    description: str
    """Purpose of the preset."""
    settings: PresetSettings
    """Settings that the preset fixes; a job's `recipe` can override each of them."""
    model: str
    """Base model that the recipe is resolved for."""
    resolved_model_revision: str | None
    """The commit that the model was resolved to; null for a model that is not of the hub."""
    train_rows: int
    """Number of training rows that the length of training is resolved for."""
    resolved_recipe: Recipe
    """Value of every setting for this model and number of rows, found by fixed rules."""
    recipe_notes: dict[str, str]
    """Reason for each automatic value."""
    automatic: list[str]
    """Settings that a job may choose by pilots instead of the rule whose value is shown here."""
