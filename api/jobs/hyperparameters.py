"""The hosted API's three hyperparameters, understood as settings of the recipe."""

from pydantic import ValidationError

from api.jobs.schemas import Hyperparameters, JobRequest
from shared.errors import InvalidValue
from shared.recipe import Recipe, RecipeRequest, Resolution


def merge(request: JobRequest) -> RecipeRequest:
    """The hosted API's hyperparameters as recipe settings. Raises InvalidValue where the two say different things."""
    given = hyperparameters_of(request)
    recipe = request.recipe.model_dump(exclude_none=True)
    for name, theirs, value in (
        ("num_train_epochs", "n_epochs", given.n_epochs),
        ("train_batch_size", "batch_size", given.batch_size),
    ):
        if value == "auto":
            continue
        if name in recipe and recipe[name] != value:
            raise InvalidValue(f"hyperparameters.{theirs} and recipe.{name} disagree.", param=f"recipe.{name}")
        if name == "num_train_epochs" and "max_steps" in recipe:
            raise InvalidValue(
                "hyperparameters.n_epochs and recipe.max_steps both give a length.", param="recipe.max_steps"
            )
        recipe[name] = value
    return RecipeRequest.model_validate(recipe)


def hyperparameters_of(request: JobRequest) -> Hyperparameters:
    by_method = request.method.supervised.hyperparameters if request.method is not None else None
    if by_method is not None and request.hyperparameters not in (None, by_method):
        raise InvalidValue("method.supervised.hyperparameters and hyperparameters disagree.", param="hyperparameters")
    return by_method or request.hyperparameters or Hyperparameters()


def scaled(resolution: Resolution, request: JobRequest) -> Resolution:
    factor = hyperparameters_of(request).learning_rate_multiplier
    if factor == "auto":
        return resolution
    rate = resolution.recipe.learning_rate * factor
    try:
        recipe = Recipe.model_validate({**resolution.recipe.model_dump(), "learning_rate": rate})
    except ValidationError:
        raise InvalidValue(
            f"learning_rate_multiplier {factor:g} gives the rate {rate:g}, which is not above 0 and at most 0.01.",
            param="hyperparameters.learning_rate_multiplier",
        ) from None
    notes = {
        **resolution.notes,
        "learning_rate": f"{rate:g}: {resolution.recipe.learning_rate:g} times the multiplier {factor:g}.",
    }
    return resolution._replace(recipe=recipe, notes=notes)
