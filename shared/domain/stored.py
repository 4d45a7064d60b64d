"""Base of the models that a JSON column holds, and their JSON as the row has it.

A row may have been written by another version: keys unknown here are kept, and a key that older
rows lack is an ``OptionalKey``.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


def _is_absent(value: object) -> bool:
    return value is None


OptionalKey = Annotated[T | None, Field(exclude_if=_is_absent)]
"""A key that is left out of the JSON instead of being null; its default must be None."""


class StoredModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)


def dump_stored(model: BaseModel) -> dict[str, Any]:
    """Return the JSON of a model that was read from a row: the keys that the row has."""
    return model.model_dump(mode="json", exclude_unset=True)
