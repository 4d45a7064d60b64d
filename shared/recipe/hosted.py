"""The three hyperparameters of OpenAI's hosted fine-tuning API, applied to a recipe."""

from typing import NamedTuple

from pydantic import ValidationError

from shared.domain.errors import InvalidValue
from shared.recipe.value import Recipe, RecipeRequest


class HostedHyperparameters(NamedTuple):
    """The three hyperparameters as plain values; None stands for ``auto``."""

    n_epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None


NO_HOSTED_HYPERPARAMETERS = HostedHyperparameters()


def merge_hosted_hyperparameters(
    request: RecipeRequest, hosted: HostedHyperparameters
) -> RecipeRequest:
    """Return the request with the hosted length and batch size among its settings.

    Raises InvalidValue where the two contradict each other.
    """
    settings = request.model_dump(exclude_none=True)
    if hosted.n_epochs is not None:
        _require_agreement(settings, "num_train_epochs", "n_epochs", hosted.n_epochs)
        if "max_steps" in settings:
            raise InvalidValue(
                "hyperparameters.n_epochs and recipe.max_steps both set the length. Set only one.",
                param="recipe.max_steps",
            )
        settings["num_train_epochs"] = hosted.n_epochs
    if hosted.batch_size is not None:
        _require_agreement(settings, "train_batch_size", "batch_size", hosted.batch_size)
        settings["train_batch_size"] = hosted.batch_size
    return RecipeRequest.model_validate(settings)


def _require_agreement(
    settings: dict[str, object], name: str, hosted_name: str, value: float
) -> None:
    if settings.get(name, value) != value:
        raise InvalidValue(
            f"hyperparameters.{hosted_name} and recipe.{name} have different values. "
            "Set only one of them.",
            param=f"recipe.{name}",
        )


def scale_learning_rate(recipe: Recipe, multiplier: float, notes: dict[str, str]) -> Recipe:
    """Return the recipe with its learning rate times ``multiplier``, and note the product.

    Raises InvalidValue for a product outside the bounds of a learning rate.
    """
    rate = recipe.learning_rate * multiplier
    try:
        scaled = Recipe.model_validate({**recipe.model_dump(), "learning_rate": rate})
    except ValidationError:
        raise InvalidValue(
            f"learning_rate_multiplier {multiplier:g} gives the learning rate {rate:g}, "
            "which must be above 0 and at most 0.01.",
            param="hyperparameters.learning_rate_multiplier",
        ) from None
    notes["learning_rate"] = (
        f"{rate:g}: {recipe.learning_rate:g} times the multiplier {multiplier:g}."
    )
    return scaled
