"""The recipe: every setting that decides a run's weights.

``RecipeRequest`` is what a caller asks for, ``Recipe`` the same with a value for everything,
``resolve`` the way from one to the other. Source: Zhang, Wu, Katiyar, Weinberger, Artzi,
*Revisiting Few-sample BERT Fine-tuning*, ICLR 2021; Devlin et al. 2019 for the conventional
settings.
"""

from shared.recipe.fields import Precision
from shared.recipe.presets import PRESET_DESCRIPTIONS, PRESETS
from shared.recipe.resolution import (
    AutoPrecision,
    RecipeResolution,
    compute_auto_steps,
    resolve_recipe,
)
from shared.recipe.value import Recipe, RecipeRequest

__all__ = [
    "PRESETS",
    "PRESET_DESCRIPTIONS",
    "AutoPrecision",
    "Precision",
    "Recipe",
    "RecipeRequest",
    "RecipeResolution",
    "compute_auto_steps",
    "resolve_recipe",
]
