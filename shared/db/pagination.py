"""Keyset pagination: the cursor is the last row's id, so a page stays the same however many
rows are added before it.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db.tables import Job
from shared.domain.errors import InvalidRequest
from shared.domain.ids import is_id

Row = TypeVar("Row")


class PageRequest(NamedTuple):
    """The requested page: at most ``limit`` rows after the id ``after``."""

    after: str | None
    limit: int
    descending: bool = True


def fetch_page(
    session: Session,
    query: Select[Row],
    key: InstrumentedAttribute[str],
    page: PageRequest,
    *,
    scope: ColumnElement[bool],
    prefix: str,
    owner_scope: ColumnElement[bool] | None = None,
) -> tuple[Sequence[Row], bool]:
    """Return the rows of a page in order, and whether more follow.

    Raises InvalidRequest for a cursor that cannot be from this list: ``scope`` is the condition on
    every row of the list, ``prefix`` that of its ids. The row of the cursor may have been deleted
    since, because ids sort by creation time. ``owner_scope``, by default ``scope``, is the
    condition on rows of the same owner: one of another owner counts as deleted, so that nobody
    learns which ids exist.
    """
    if page.after is not None:
        of_owner = scope if owner_scope is None else owner_scope
        in_scope = session.scalar(select(scope).where(key == page.after, of_owner))
        if not (is_id(page.after, prefix) if in_scope is None else in_scope):
            raise build_invalid_cursor()
        query = query.where(key < page.after if page.descending else key > page.after)
    query = query.order_by(key.desc() if page.descending else key.asc()).limit(page.limit + 1)
    rows = session.scalars(query).all()
    return rows[: page.limit], len(rows) > page.limit


def is_of_same_owner(owner_id: InstrumentedAttribute[str], job_id: str) -> ColumnElement[bool]:
    """Return the condition that a row belongs to the owner of the job."""
    return owner_id == select(Job.owner_id).where(Job.id == job_id).scalar_subquery()


def build_invalid_cursor() -> InvalidRequest:
    return InvalidRequest(
        "after is not the ID of an item of this list. Send the last_id of the previous page, or "
        "leave it out to begin with the first page.",
        param="after",
    )
