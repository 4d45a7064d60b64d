"""Response envelope of the endpoints that list objects."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict


class Identified(BaseModel):
    """An object that can be listed; its id serves as the cursor."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique id; its prefix names the kind of object."""


Item = TypeVar("Item", bound=Identified)


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    # the docstring of a generic model is not inherited by its parametrised models
    model_config = ConfigDict(
        json_schema_extra={"description": "A page of a list."}, use_attribute_docstrings=True
    )

    object: Literal["list"] = "list"
    """Kind of object."""
    data: list[Item]
    """Items of the page, newest first unless the operation says otherwise."""
    has_more: bool
    """Whether more items follow; request them with `after` set to `last_id`."""
    first_id: str | None
    """Id of the first item; null if the page is empty."""
    last_id: str | None
    """Id of the last item; null if the page is empty."""


def build_listing(items: Sequence[Item], has_more: bool = False) -> Listing[Item]:
    return Listing(
        data=list(items),
        has_more=has_more,
        first_id=items[0].id if items else None,
        last_id=items[-1].id if items else None,
    )
