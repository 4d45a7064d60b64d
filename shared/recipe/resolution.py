"""Resolve a requested recipe: a value for every setting, each automatic one with a reason."""

from typing import NamedTuple

from shared.encoders.catalogue import EncoderFacts
from shared.recipe.family_limits import fit_to_encoder
from shared.recipe.fields import DEFAULT_BATCH_SIZE, Precision
from shared.recipe.head_choice import resolve_head
from shared.recipe.hosted import (
    NO_HOSTED_HYPERPARAMETERS,
    HostedHyperparameters,
    merge_hosted_hyperparameters,
    scale_learning_rate,
)
from shared.recipe.networks import list_networks
from shared.recipe.pilot_schemas import PilotPlan
from shared.recipe.pilots import plan_pilots
from shared.recipe.presets import PRESETS
from shared.recipe.rules import (
    convert_epochs,
    count_epoch_steps,
    resolve_learning_rate,
    resolve_reinit_layers,
    resolve_steps,
)
from shared.recipe.value import Recipe, RecipeRequest


class AutoPrecision(NamedTuple):
    """The value of ``precision: "auto"`` on the machines that train."""

    value: Precision
    reason: str
    """A clause."""


UNKNOWN_PROCESSOR = AutoPrecision("float32", "the processor that trains is unknown")


class RecipeResolution(NamedTuple):
    """A recipe resolved by the rules, and the pilots that may find better automatic values."""

    recipe: Recipe
    notes: dict[str, str]
    """Why each automatic or adapted setting has its value, one sentence per setting."""
    pilots: PilotPlan | None
    """The first round of pilots; None if no setting is searched."""

    @property
    def automatic(self) -> list[str]:
        """Settings that pilots search; the recipe has the rules' values for them."""
        return [] if self.pilots is None else self.pilots.automatic


def resolve_recipe(
    request: RecipeRequest,
    facts: EncoderFacts,
    train_rows: int,
    auto_precision: AutoPrecision = UNKNOWN_PROCESSOR,
    hosted: HostedHyperparameters = NO_HOSTED_HYPERPARAMETERS,
    *,
    pairs: bool = False,
) -> RecipeResolution:
    """Resolve every setting for an encoder, the number of training rows, and the machines.

    ``pairs`` says that the task has pairs of texts.

    Raises InvalidValue if a requested setting does not fit the encoder, if request and hosted
    hyperparameters contradict each other, or if the epochs exceed the steps a run may have.
    """
    request = merge_hosted_hyperparameters(request, hosted)
    settings = _apply_preset(request)
    notes: dict[str, str] = {}
    learning_rate = _resolve_learning_rate(settings, facts, notes)
    precision = _resolve_precision(settings, auto_precision, notes)
    is_pooling_automatic = settings.pooling == "auto"
    settings, automatic = resolve_head(settings, request, facts, notes, pairs=pairs)
    if settings.reinit_layers == "auto":
        if facts.shared_blocks is None:
            automatic.append("reinit_layers")  # part of a shared block cannot be re-initialized
        is_pooled = is_pooling_automatic and settings.pooling != "family"
        depth, notes["reinit_layers"] = resolve_reinit_layers(
            facts, is_pooled=is_pooled, is_head_searched=is_pooling_automatic
        )
        settings = settings.model_copy(update={"reinit_layers": depth})
    settings = fit_to_encoder(settings, request, facts, notes)
    epochs, steps = _resolve_length(settings, train_rows, notes)
    is_length_searched = "max_steps" in notes
    # a preset's search of the rate goes with its other searches; a recipe that gives their values
    # trains as given, unless it asks for the rate's search itself
    is_rate_searched = settings.learning_rate == "auto" and bool(
        automatic or is_length_searched or request.learning_rate == "auto"
    )
    if is_rate_searched and hosted.learning_rate_multiplier is None:
        automatic.append("learning_rate")
    if is_length_searched:
        automatic.append("max_steps")
    resolved = {"learning_rate": learning_rate, "precision": precision}
    length = {"num_train_epochs": epochs, "max_steps": steps}
    recipe = Recipe(**settings.model_dump(exclude_none=True) | resolved | length)
    if hosted.learning_rate_multiplier is not None:
        recipe = scale_learning_rate(recipe, hosted.learning_rate_multiplier, notes)
    networks = list_networks(recipe, automatic, facts, pairs=pairs)
    return RecipeResolution(recipe, notes, plan_pilots(recipe, automatic, networks))


def _apply_preset(request: RecipeRequest) -> RecipeRequest:
    """Return the request's settings on top of its preset's; a requested length replaces both."""
    requested = request.model_dump(exclude_none=True)
    settings = {**PRESETS[request.preset], **requested}
    if "max_steps" in requested:
        settings.pop("num_train_epochs", None)
    if "num_train_epochs" in requested:
        settings.pop("max_steps", None)
    return RecipeRequest.model_validate(settings)


def _resolve_learning_rate(
    settings: RecipeRequest, facts: EncoderFacts, notes: dict[str, str]
) -> float:
    if settings.learning_rate is not None and settings.learning_rate != "auto":
        return settings.learning_rate
    rate, notes["learning_rate"] = resolve_learning_rate(facts)
    return rate


def _resolve_precision(
    settings: RecipeRequest, auto_precision: AutoPrecision, notes: dict[str, str]
) -> Precision:
    if settings.precision is not None and settings.precision != "auto":
        return settings.precision
    notes["precision"] = f"{auto_precision.value}: {auto_precision.reason}."
    return auto_precision.value


def _resolve_length(
    settings: RecipeRequest, train_rows: int, notes: dict[str, str]
) -> tuple[float | None, int]:
    """Return epochs (None if the length is given or chosen in steps) and steps."""
    batch_size = settings.train_batch_size or DEFAULT_BATCH_SIZE
    epoch_steps = count_epoch_steps(train_rows, batch_size)
    epochs, steps = settings.num_train_epochs, settings.max_steps
    if epochs is not None and epochs != "auto":
        return epochs, convert_epochs(epochs, epoch_steps)
    if steps is not None and steps != "auto":
        return None, steps
    wanted, notes["max_steps"] = resolve_steps(epoch_steps)
    return None, wanted
