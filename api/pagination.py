"""Response envelope of the endpoints that list objects."""

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Identified(BaseModel):
    """An object that can be listed; its ID serves as the cursor."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique ID; its prefix names the kind of object."""


Item = TypeVar("Item", bound=Identified)


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    # pydantic takes neither docstrings nor attribute docstrings over to parametrized models
    model_config = ConfigDict(json_schema_extra={"description": "A page of a list."})

    object: Annotated[Literal["list"], Field(description="Kind of object.")] = "list"
    data: Annotated[
        list[Item],
        Field(description="Items of the page, newest first unless the operation says otherwise."),
    ]
    has_more: Annotated[
        bool,
        Field(description="Whether more items follow; request them with `after` set to `last_id`."),
    ]
    first_id: Annotated[
        str | None, Field(description="ID of the first item; null if the page is empty.")
    ]
    last_id: Annotated[
        str | None, Field(description="ID of the last item; null if the page is empty.")
    ]


def build_listing(items: Sequence[Item], has_more: bool = False) -> Listing[Item]:
    return Listing(
        data=list(items),
        has_more=has_more,
        first_id=items[0].id if items else None,
        last_id=items[-1].id if items else None,
    )
