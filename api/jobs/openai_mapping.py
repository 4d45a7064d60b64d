"""Map the request fields of OpenAI's hosted API to plain values and recipe settings."""

from collections.abc import Collection, Mapping

from pydantic import ValidationError

from api.jobs.openai_schemas import Hyperparameters
from api.jobs.request_schemas import JobRequest
from shared.domain.errors import InvalidValue
from shared.recipe import HostedHyperparameters, RecipeRequest


def merge_method_settings(request: JobRequest) -> JobRequest:
    """Return the request with the recipe settings of ``method`` moved into ``recipe``.

    Raises InvalidValue where the two disagree.
    """
    method_settings = _get_method_settings(request, RecipeRequest.model_fields)
    if not method_settings:
        return request
    recipe = {name: getattr(request.recipe, name) for name in request.recipe.model_fields_set}
    _require_equal_values(method_settings, recipe, "recipe")
    try:
        merged = RecipeRequest.model_validate(recipe | method_settings)
    except ValidationError:
        raise InvalidValue(
            "method.supervised.hyperparameters and recipe together give num_train_epochs and "
            "max_steps; give one of the two.",
            param="recipe",
        ) from None
    return request.model_copy(update={"recipe": merged})


def read_hosted_hyperparameters(request: JobRequest) -> HostedHyperparameters:
    """Return the hosted hyperparameters, which ``hyperparameters`` and ``method`` may both give.

    Raises InvalidValue where the two disagree.
    """
    names = Hyperparameters.model_fields
    by_method = _drop_auto(_get_method_settings(request, names))
    plain_request = request.hyperparameters or Hyperparameters()
    plain = _drop_auto(plain_request.model_dump(exclude_unset=True))
    _require_equal_values(by_method, plain, "hyperparameters")
    given = Hyperparameters.model_validate(by_method | plain)
    return HostedHyperparameters(
        n_epochs=None if given.n_epochs == "auto" else given.n_epochs,
        batch_size=None if given.batch_size == "auto" else given.batch_size,
        learning_rate_multiplier=(
            None if given.learning_rate_multiplier == "auto" else given.learning_rate_multiplier
        ),
    )


def _require_equal_values(
    method_settings: Mapping[str, object], others: Mapping[str, object], section: str
) -> None:
    """Raise InvalidValue for a setting of ``method`` that has another value in ``section``."""
    for name in method_settings.keys() & others.keys():
        if method_settings[name] != others[name]:
            raise InvalidValue(
                f"method.supervised.hyperparameters.{name} and {section}.{name} have different "
                "values; give one of them.",
                param=f"{section}.{name}",
            )


def _get_method_settings(request: JobRequest, names: Collection[str]) -> dict[str, object]:
    if request.method is None:
        return {}
    given = request.method.supervised.hyperparameters
    return {name: getattr(given, name) for name in given.model_fields_set.intersection(names)}


def _drop_auto(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value != "auto"}
