"""Keyset pagination: the cursor is the last row's id, so a page stays the same however many
rows are added before it.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

Row = TypeVar("Row")


class PageRequest(NamedTuple):
    """The requested page: at most ``limit`` rows after the id ``after``."""

    after: str | None
    limit: int
    descending: bool = True


def fetch_page(
    session: Session, query: Select[Row], key: InstrumentedAttribute[str], page: PageRequest
) -> tuple[Sequence[Row], bool]:
    """Return the rows of a page in order, and whether more follow. IDs sort by creation time,
    so an unknown cursor is harmless.
    """
    if page.after is not None:
        query = query.where(key < page.after if page.descending else key > page.after)
    query = query.order_by(key.desc() if page.descending else key.asc()).limit(page.limit + 1)
    rows = session.scalars(query).all()
    return rows[: page.limit], len(rows) > page.limit
