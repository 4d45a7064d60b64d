"""From the recipe as asked for to the recipe with a value for everything, by stated rules, each
explained in a sentence.
"""

import math
from typing import Any, NamedTuple

from shared.domain.errors import InvalidValue
from shared.encoders.catalogue import EncoderFacts
from shared.recipe.family_limits import describe_shared_weights, fit_to_encoder
from shared.recipe.fields import MAX_STEPS, Precision
from shared.recipe.presets import PRESETS
from shared.recipe.value import Recipe, RecipeRequest

PAPER_RATE, PAPER_WIDTH = 2e-5, 1024  # BERT-large, the paper's baseline
LONG_EPOCHS, LONG_MIN_STEPS, LONG_MAX_STEPS, CONVENTIONAL_EPOCHS = 10, 320, 1600, 3


class AutoPrecision(NamedTuple):
    """What ``precision: "auto"`` is where the job will be trained."""

    value: Precision
    reason: str
    """A clause."""


UNKNOWN_PROCESSOR = AutoPrecision("float32", "nothing is known of the processor that will train")


class RecipeResolution(NamedTuple):
    recipe: Recipe
    notes: dict[str, str]
    """Why each automatic value is what it is, a sentence a field."""
    automatic: tuple[str, ...] = ()
    """``reinit_layers`` and ``max_steps`` where they were left to the service: the recipe has
    the rule's value, pilots may find a better one.
    """


def resolve_recipe(
    request: RecipeRequest,
    facts: EncoderFacts,
    train_rows: int,
    auto_precision: AutoPrecision = UNKNOWN_PROCESSOR,
) -> RecipeResolution:
    """Give every setting a value for this encoder, this number of training rows, and the
    machines that will train.

    Raises InvalidValue when a setting that was asked for does not fit the encoder (``fit``), or
    when the length in epochs comes to more steps than a run may have.
    """
    asked = request.model_dump(exclude_none=True)
    values = {**PRESETS[request.preset], **asked}
    if "max_steps" in asked:
        values.pop("num_train_epochs", None)
    if "num_train_epochs" in asked:
        values.pop("max_steps", None)
    notes: dict[str, str] = {}
    values.setdefault("learning_rate", "auto")
    if values["learning_rate"] == "auto":
        values["learning_rate"], notes["learning_rate"] = _resolve_learning_rate(facts)
    if values.setdefault("precision", "auto") == "auto":
        values["precision"], notes["precision"] = (
            auto_precision.value,
            f"{auto_precision.value}: {auto_precision.reason}.",
        )
    automatic = []
    if values["reinit_layers"] == "auto":
        if (
            facts.shared_blocks is None
        ):  # else there are no depths to try: a part of a block of weights cannot be drawn
            automatic.append("reinit_layers")
        values["reinit_layers"], notes["reinit_layers"] = _resolve_reinit_layers(facts)
    fit_to_encoder(values, asked, facts, notes)
    values.update(_resolve_length(values, train_rows, notes))
    if "max_steps" in notes:
        automatic.append("max_steps")
    return RecipeResolution(Recipe(**values), notes, tuple(automatic))


def _resolve_learning_rate(facts: EncoderFacts) -> tuple[float, str]:
    """The paper's rate for BERT-large, scaled inversely with the width, as Adam's best rate
    does (Yang et al. 2021, table 3).
    """
    rate = float(f"{PAPER_RATE * PAPER_WIDTH / facts.hidden_size:.2g}")
    return rate, (
        f"{rate:g}: the paper's {PAPER_RATE:g} for BERT-large (width {PAPER_WIDTH}), "
        "scaled inversely with the width "
        f"{facts.hidden_size} of {facts.name}; the same under every preset."
    )


def _resolve_reinit_layers(facts: EncoderFacts) -> tuple[int, str]:
    """A sixth of the blocks: 4 of BERT-large's 24, within the paper's good range of 1 to 6."""
    depth = max(1, round(facts.num_hidden_layers / 6))
    if facts.shared_blocks is not None:
        whole = depth * facts.num_blocks // facts.num_hidden_layers
        return whole, (
            f"{whole}: a sixth of the layers, in whole blocks of weights; "
            f"{describe_shared_weights(facts)}, so that a top layer cannot be drawn "
            "afresh without the others of its block."
        )
    return depth, f"{depth}: a sixth of the {facts.num_hidden_layers} blocks of {facts.name}."


def _resolve_length(
    values: dict[str, Any], train_rows: int, notes: dict[str, str]
) -> dict[str, Any]:
    """Steps from whichever of the two lengths is given; ``Trainer`` rounds epochs to steps the
    same way (upwards).
    """
    per_epoch = math.ceil(
        train_rows / values.get("train_batch_size", Recipe.model_fields["train_batch_size"].default)
    )
    epochs, steps = values.get("num_train_epochs"), values.get("max_steps")
    if epochs != "auto" and epochs is not None:
        return {
            "num_train_epochs": epochs,
            "max_steps": _check_step_limit(max(1, math.ceil(epochs * per_epoch))),
        }
    if steps != "auto" and steps is not None:
        return {"num_train_epochs": None, "max_steps": steps}
    wanted = _check_step_limit(_compute_long_steps(per_epoch))
    notes["max_steps"] = (
        f"{wanted}: {LONG_EPOCHS} epochs of {per_epoch} steps, but at least "
        f"{LONG_MIN_STEPS} steps (small sets need steps, not "
        f"epochs) and at most the larger of {LONG_MAX_STEPS} steps and "
        f"{CONVENTIONAL_EPOCHS} epochs."
    )
    return {"num_train_epochs": None, "max_steps": wanted}


def _compute_long_steps(steps_per_epoch: int) -> int:
    return min(
        max(LONG_EPOCHS * steps_per_epoch, LONG_MIN_STEPS),
        max(LONG_MAX_STEPS, CONVENTIONAL_EPOCHS * steps_per_epoch),
    )


def compute_auto_steps(train_rows: int, train_batch_size: int) -> int:
    """The steps that ``max_steps: "auto"`` stands for, by the rule alone."""
    return min(MAX_STEPS, _compute_long_steps(math.ceil(train_rows / train_batch_size)))


def _check_step_limit(steps: int) -> int:
    if steps > MAX_STEPS:
        raise InvalidValue(
            f"The epochs come to {steps:,} steps on these rows; a run has at most {MAX_STEPS:,}. "
            "Give fewer epochs, recipe.max_steps, or a larger recipe.train_batch_size.",
            param="recipe.num_train_epochs",
        )
    return steps
