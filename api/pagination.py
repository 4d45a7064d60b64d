"""The list envelope of every endpoint that pages."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict


class Identified(BaseModel):
    """Anything that is listed: its id serves as the cursor."""

    id: str


Item = TypeVar("Item", bound=Identified)


class Listing(BaseModel, Generic[Item]):
    """A page of a list."""

    # a generic model's words do not come with the models that are made of it
    model_config = ConfigDict(json_schema_extra={"description": "A page of a list."})

    object: Literal["list"] = "list"
    data: list[Item]
    has_more: bool
    first_id: str | None
    last_id: str | None


def build_listing(items: Sequence[Item], has_more: bool = False) -> Listing[Item]:
    return Listing(
        data=list(items),
        has_more=has_more,
        first_id=items[0].id if items else None,
        last_id=items[-1].id if items else None,
    )
