"""The hosted API's three hyperparameters, understood as settings of the recipe."""

from collections.abc import Collection
from typing import Any

from pydantic import ValidationError

from api.jobs.openai_schemas import Hyperparameters
from api.jobs.schemas import JobRequest
from shared.domain.errors import InvalidValue
from shared.recipe import Recipe, RecipeRequest, RecipeResolution


def merge_hyperparameters(request: JobRequest) -> RecipeRequest:
    """The hosted API's hyperparameters as recipe settings. Raises InvalidValue where the two
    say different things.
    """
    given = resolve_hyperparameters(request)
    recipe = request.recipe.model_dump(exclude_none=True)
    for name, theirs, value in (
        ("num_train_epochs", "n_epochs", given.n_epochs),
        ("train_batch_size", "batch_size", given.batch_size),
    ):
        if value == "auto":
            continue
        if name in recipe and recipe[name] != value:
            raise InvalidValue(
                f"hyperparameters.{theirs} and recipe.{name} disagree.", param=f"recipe.{name}"
            )
        if name == "num_train_epochs" and "max_steps" in recipe:
            raise InvalidValue(
                "hyperparameters.n_epochs and recipe.max_steps both give a length.",
                param="recipe.max_steps",
            )
        recipe[name] = value
    return RecipeRequest.model_validate(recipe)


def merge_method_settings(request: JobRequest) -> JobRequest:
    """The same request, the recipe's settings that ``method`` gives among those of ``recipe``.
    Raises InvalidValue where they disagree.
    """
    given = _get_method_settings(request, RecipeRequest.model_fields)
    if not given:
        return request
    recipe = {name: getattr(request.recipe, name) for name in request.recipe.model_fields_set}
    for name in given.keys() & recipe.keys():
        if given[name] != recipe[name]:
            raise InvalidValue(
                f"method.supervised.hyperparameters.{name} and recipe.{name} disagree.",
                param=f"recipe.{name}",
            )
    try:
        merged = RecipeRequest.model_validate(recipe | given)
    except ValidationError:
        raise InvalidValue(
            (
                "method.supervised.hyperparameters and recipe give num_train_epochs and "
                "max_steps; give one of the two."
            ),
            param="recipe",
        ) from None
    return request.model_copy(update={"recipe": merged})


def resolve_hyperparameters(request: JobRequest) -> Hyperparameters:
    """The hosted API's three from both places where they may be given. Raises InvalidValue
    where these disagree.
    """
    names = Hyperparameters.model_fields
    by_method = {
        name: value
        for name, value in _get_method_settings(request, names).items()
        if value != "auto"
    }
    plain = (
        {}
        if request.hyperparameters is None
        else request.hyperparameters.model_dump(exclude_unset=True)
    )
    plain = {name: value for name, value in plain.items() if value != "auto"}
    for name in by_method.keys() & plain.keys():
        if by_method[name] != plain[name]:
            raise InvalidValue(
                f"method.supervised.hyperparameters.{name} and hyperparameters.{name} disagree.",
                param=f"hyperparameters.{name}",
            )
    return Hyperparameters(**by_method | plain)


def _get_method_settings(request: JobRequest, names: Collection[str]) -> dict[str, Any]:
    if request.method is None:
        return {}
    given = request.method.supervised.hyperparameters
    return {name: getattr(given, name) for name in given.model_fields_set.intersection(names)}


def scale_learning_rate(resolution: RecipeResolution, request: JobRequest) -> RecipeResolution:
    factor = resolve_hyperparameters(request).learning_rate_multiplier
    if factor == "auto":
        return resolution
    rate = resolution.recipe.learning_rate * factor
    try:
        recipe = Recipe.model_validate({**resolution.recipe.model_dump(), "learning_rate": rate})
    except ValidationError:
        raise InvalidValue(
            (
                f"learning_rate_multiplier {factor:g} gives the rate {rate:g}, which is not "
                "above 0 and at most 0.01."
            ),
            param="hyperparameters.learning_rate_multiplier",
        ) from None
    notes = {
        **resolution.notes,
        "learning_rate": (
            f"{rate:g}: {resolution.recipe.learning_rate:g} times the multiplier {factor:g}."
        ),
    }
    return resolution._replace(recipe=recipe, notes=notes)
