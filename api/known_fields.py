"""The fields of a request body by path, and which of them an unknown field probably means."""

from collections.abc import Iterator, Sequence
from typing import get_args

from pydantic import BaseModel

from shared.domain.nearest_name import find_nearest_name

MAX_COMPARED_NAME = 80
"""Longer names are no misspelling; comparing them would take long."""
MAX_DEPTH = 4


def suggest_field(body_type: object, path: Sequence[int | str]) -> str | None:
    """Return the dotted path of the field that an unknown one probably means, or None.

    It is a field of this name in another object, or else the nearest field of the same object.
    """
    *parents, last = path
    name = str(last)
    if len(name) > MAX_COMPARED_NAME:
        return None
    same = [one for one in _iterate_paths(body_type) if one.split(".")[-1] == name]
    if same:
        return min(same, key=lambda one: one.count("."))
    siblings = {field for model in _find_models(body_type, parents) for field in model.model_fields}
    nearest = find_nearest_name(name, siblings)
    return None if nearest is None else ".".join(map(str, [*parents, nearest]))


def _find_models(annotation: object, path: Sequence[int | str]) -> list[type[BaseModel]]:
    """List the models that a value at this path may have: several for a union."""
    models = list(_iterate_models(annotation))
    for part in path:
        if isinstance(part, int):
            continue  # the items of a list have the models of its annotation
        fields = [model.model_fields[part] for model in models if part in model.model_fields]
        models = [found for field in fields for found in _iterate_models(field.annotation)]
    return models


def _iterate_models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation such as ``Annotated[A | list[B], …] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _iterate_models(part)


def _iterate_paths(annotation: object, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Yield the dotted paths of all fields, an object's own before those of the objects in it."""
    if depth == MAX_DEPTH:
        return
    models = list(_iterate_models(annotation))
    for model in models:
        yield from (f"{prefix}{name}" for name in model.model_fields)
    for model in models:
        for name, field in model.model_fields.items():
            yield from _iterate_paths(field.annotation, f"{prefix}{name}.", depth + 1)
