"""The recipe: every setting that decides a run's weights.

``RecipeRequest`` is what a caller asks for, ``Recipe`` the same with a value for everything, ``resolve`` the way from one to the
other. Source: Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample BERT Fine-tuning*, ICLR 2021; Devlin et al. 2019 for the
conventional settings.
"""

from shared.recipe.fields import Precision
from shared.recipe.presets import DESCRIPTIONS, PRESETS
from shared.recipe.resolution import AutoPrecision, Resolution, long_enough, resolve
from shared.recipe.value import Recipe, RecipeRequest

__all__ = [
    "DESCRIPTIONS",
    "PRESETS",
    "AutoPrecision",
    "Precision",
    "Recipe",
    "RecipeRequest",
    "Resolution",
    "long_enough",
    "resolve",
]
