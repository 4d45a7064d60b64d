"""Checks of a recipe against the encoder's family, which may not support every setting.

A setting that the family does not support is refused if the request gave it, and dropped with a
note if it came from a preset.
"""

from shared.domain.errors import InvalidValue
from shared.domain.wording import format_count
from shared.encoders.catalogue import EncoderFacts
from shared.recipe.value import RecipeRequest


def describe_shared_weights(facts: EncoderFacts) -> str:
    """Return a clause about an encoder whose layers share their weights."""
    blocks = (
        "one block of weights" if facts.num_blocks == 1 else f"{facts.num_blocks} blocks of weights"
    )
    return f"the {facts.num_hidden_layers} layers of {facts.name} share {blocks}"


def fit_to_encoder(
    settings: RecipeRequest, request: RecipeRequest, facts: EncoderFacts, notes: dict[str, str]
) -> RecipeRequest:
    """Return ``settings`` adapted to the encoder, and note what changed or means something special.

    ``settings`` are the request's on top of its preset's, with ``reinit_layers`` resolved. Raises
    InvalidValue, naming the setting, where the encoder cannot have what ``request`` asks for.
    """
    settings = _fit_pooler(settings, request, facts, notes)
    _require_known_blocks(settings.reinit_layers, facts)
    if facts.shared_blocks is not None:
        _explain_shared_weights(settings, facts, notes)
    if settings.mixout:
        notes["mixout"] = (
            f"{settings.mixout:g}: mixout replaces dropout, so all dropout of {facts.name} is off."
        )
    return settings


def _fit_pooler(
    settings: RecipeRequest, request: RecipeRequest, facts: EncoderFacts, notes: dict[str, str]
) -> RecipeRequest:
    """Turn ``reinit_pooler`` off where no pre-trained pooler is used."""
    if not settings.reinit_pooler:
        return settings
    if settings.pooling in ("cls", "mean"):
        reason = f"with recipe.pooling {settings.pooling} no pooler is used"
    elif facts.has_pooler:
        return settings
    else:
        reason = (
            f"{facts.name} ({facts.family}) has no pre-trained pooler: everything between its top "
            "block and the labels is new in every run"
        )
    if request.reinit_pooler is not None:
        raise InvalidValue(
            f"recipe.reinit_pooler is true, but {reason}. Leave it out, or set it to false.",
            param="recipe.reinit_pooler",
        )
    notes["reinit_pooler"] = f"false: {reason}."
    return settings.model_copy(update={"reinit_pooler": False})


def _require_known_blocks(layers: object, facts: EncoderFacts) -> None:
    highest = max(layers) + 1 if isinstance(layers, list) else layers
    if isinstance(highest, int) and highest > facts.num_blocks:
        limit = (
            f"{facts.name} has {format_count(facts.num_blocks, 'block')}"
            if facts.shared_blocks is None
            else describe_shared_weights(facts)
        )
        raise InvalidValue(
            f"recipe.reinit_layers is {layers}, but {limit}.", param="recipe.reinit_layers"
        )


def _explain_shared_weights(
    settings: RecipeRequest, facts: EncoderFacts, notes: dict[str, str]
) -> None:
    if settings.reinit_layers != 0 and "reinit_layers" not in notes:
        notes["reinit_layers"] = (
            f"{settings.reinit_layers}: counted in blocks of weights; "
            f"{describe_shared_weights(facts)}, and every layer that uses a re-initialized block "
            "is re-initialized with it."
        )
    ratio = settings.layerwise_learning_rate_decay
    if ratio is not None and ratio != 1.0:
        notes["layerwise_learning_rate_decay"] = (
            f"{ratio:g}: applied once per block of weights, and once more for the embeddings; "
            f"{describe_shared_weights(facts)}."
        )
