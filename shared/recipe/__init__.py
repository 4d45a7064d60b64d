"""The training recipe: every setting that determines a run's weights, and how it is resolved.

``resolve_recipe`` turns a ``RecipeRequest`` into a ``Recipe`` and, where settings are automatic,
the plan of the pilots that search for them; ``advance_pilots`` decides what follows once the
planned pilots have ended. Sources: Zhang, Wu, Katiyar, Weinberger, Artzi, *Revisiting Few-sample
BERT Fine-tuning*, ICLR 2021; Devlin et al. 2019 for the conventional settings.
"""

from shared.recipe.fields import PairEncoding, Pooling, Precision
from shared.recipe.hosted import NO_HOSTED_HYPERPARAMETERS, HostedHyperparameters
from shared.recipe.presets import PRESET_DESCRIPTIONS, PRESETS
from shared.recipe.resolution import AutoPrecision, RecipeResolution, resolve_recipe
from shared.recipe.rules import compute_auto_steps
from shared.recipe.value import Recipe, RecipeRequest

__all__ = [
    "NO_HOSTED_HYPERPARAMETERS",
    "PRESETS",
    "PRESET_DESCRIPTIONS",
    "AutoPrecision",
    "HostedHyperparameters",
    "PairEncoding",
    "Pooling",
    "Precision",
    "Recipe",
    "RecipeRequest",
    "RecipeResolution",
    "compute_auto_steps",
    "resolve_recipe",
]
