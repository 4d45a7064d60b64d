"""Search and order of the models on their page."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from api.models.schemas import ModelObject


class ModelSource(StrEnum):
    """Where the listed models come from."""

    ANY = ""
    FINE_TUNED = "fine-tuned"
    BUNDLED = "bundled"
    FOLDER = "folder"
    UPLOAD = "upload"
    HUB = "hub"


class ModelOrder(StrEnum):
    """Orders of the models that jobs can start from; a leading hyphen reverses one."""

    GIVEN = ""
    NAME = "name"
    NAME_REVERSED = "-name"
    SIZE = "parameters"
    SIZE_REVERSED = "-parameters"
    LENGTH = "length"
    LENGTH_REVERSED = "-length"
    MEMORY = "memory"
    MEMORY_REVERSED = "-memory"
    SPEED = "seconds"
    SPEED_REVERSED = "-seconds"


class ModelSearch(NamedTuple):
    """What the lists are limited to, and their order."""

    text: str = ""
    source: ModelSource = ModelSource.ANY
    order: ModelOrder = ModelOrder.GIVEN

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.source)


class ModelLists(NamedTuple):
    fine_tuned: Sequence[ModelObject]
    starts: Sequence[ModelObject]


_KEYS: Final[dict[str, Callable[[Any], Any]]] = {
    "name": lambda encoder: encoder.name.lower(),
    "parameters": lambda encoder: encoder.parameters,
    "length": lambda encoder: encoder.max_seq_length,
    "memory": lambda encoder: encoder.training_memory_bytes,
    "seconds": lambda encoder: encoder.seconds_per_step,
}


def select_models(models: Sequence[ModelObject], search: ModelSearch) -> ModelLists:
    """Return the models that the search finds, in its order; unknown values come last."""
    found = [model for model in models if _fits(model, search)]
    starts = [model for model in found if model.encoder is not None]
    return ModelLists(
        [model for model in found if model.encoder is None], _sort(starts, search.order)
    )


def _fits(model: ModelObject, search: ModelSearch) -> bool:
    encoder = model.encoder
    source = ModelSource.FINE_TUNED if encoder is None else encoder.source
    if search.source is not ModelSource.ANY and source != search.source:
        return False
    words = [model.id, model.base_model, model.job_id]
    if encoder is not None:
        words += [encoder.name, encoder.family, encoder.license, *encoder.languages]
    return any(search.text.lower() in word.lower() for word in words if word)


def _sort(models: Sequence[ModelObject], order: ModelOrder) -> Sequence[ModelObject]:
    if order is ModelOrder.GIVEN:
        return models
    key = _KEYS[order.removeprefix("-")]
    known = [model for model in models if key(model.encoder) is not None]
    unknown = [model for model in models if key(model.encoder) is None]
    known.sort(key=lambda model: key(model.encoder), reverse=order.startswith("-"))
    return [*known, *unknown]
