"""What a switch of the recipe cannot mean for an encoder's family: refused where it was asked
for, left out where a preset brought it.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts


def describe_shared_weights(facts: EncoderFacts) -> str:
    """A clause on an encoder whose layers share their weights."""
    blocks = (
        "one block of weights" if facts.num_blocks == 1 else f"{facts.num_blocks} blocks of weights"
    )
    return f"the {facts.num_hidden_layers} layers of {facts.name} share {blocks}"


def fit_to_encoder(
    values: dict[str, Any], requested: Mapping[str, Any], facts: EncoderFacts, notes: dict[str, str]
) -> None:
    """Adapt ``values``, a recipe's settings with ``reinit_layers`` resolved, to an encoder; say
    in ``notes`` what was changed, or what a setting means where it is not what one would
    expect.

    Raises InvalidValue, naming the setting, where one of those ``asked`` for cannot be meant.
    """
    _fit_pooler(values, requested, facts, notes)
    _require_known_blocks(values["reinit_layers"], facts)
    if facts.shared_blocks is not None:
        _explain_shared_weights(values, facts, notes)
    if values.get("mixout"):
        notes["mixout"] = f"{values['mixout']:g}: with mixout all dropout of {facts.name} is off."


def _fit_pooler(
    values: dict[str, Any], requested: Mapping[str, Any], facts: EncoderFacts, notes: dict[str, str]
) -> None:
    """A family without a pre-trained pooler has nothing to draw afresh there: its whole head is
    new in every run.
    """
    if facts.has_pooler or not values["reinit_pooler"]:
        return
    why = (
        f"{facts.name} ({facts.family}) has no pre-trained pooler: all between its "
        "top block and the labels is new in every run"
    )
    if "reinit_pooler" in requested:
        raise InvalidValue(
            f"recipe.reinit_pooler is true, but {why}. Leave it out, or give false.",
            param="recipe.reinit_pooler",
        )
    values["reinit_pooler"] = False
    notes["reinit_pooler"] = f"false: {why}."


def _require_known_blocks(layers: int | list[int], facts: EncoderFacts) -> None:
    highest = layers if isinstance(layers, int) else max(layers) + 1
    if highest > facts.num_blocks:
        has = (
            f"{facts.name} has {facts.num_blocks} blocks"
            if facts.shared_blocks is None
            else describe_shared_weights(facts)
        )
        raise InvalidValue(
            f"recipe.reinit_layers is {layers}, but {has}.", param="recipe.reinit_layers"
        )


def _explain_shared_weights(
    values: dict[str, Any], facts: EncoderFacts, notes: dict[str, str]
) -> None:
    if values["reinit_layers"] not in (0, "auto") and "reinit_layers" not in notes:
        notes["reinit_layers"] = (
            f"{values['reinit_layers']}: counted in blocks of weights; "
            f"{describe_shared_weights(facts)}, and every "
            "layer that uses a block is drawn afresh with it."
        )
    ratio = values.get("layerwise_learning_rate_decay", 1.0)
    if ratio != 1.0:
        notes["layerwise_learning_rate_decay"] = (
            f"{ratio:g}: once for each block of weights, and once more for the embeddings; "
            f"{describe_shared_weights(facts)}."
        )
