"""Queries on stored comparisons."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.pagination import PageRequest, fetch_page
from shared.db.tables import Comparison
from shared.domain.errors import ComparisonNotFound
from shared.domain.ids import COMPARISON_PREFIX


class Comparisons:
    def __init__(self, session: Session, owner_id: str) -> None:
        self._session = session
        self._owner_id = owner_id

    def add(self, comparison: Comparison) -> None:
        self._session.add(comparison)
        self._session.flush()

    def get(self, comparison_id: str) -> Comparison:
        """Return a stored comparison. Raises ComparisonNotFound, also for another owner's."""
        query = select(Comparison).where(
            Comparison.id == comparison_id, Comparison.owner_id == self._owner_id
        )
        found = self._session.scalars(query).one_or_none()
        if found is None:
            raise ComparisonNotFound(
                f"No comparison has the ID {comparison_id[:80]!r}.", param="comparison_id"
            )
        return found

    def list_page(self, page: PageRequest) -> tuple[Sequence[Comparison], bool]:
        scope = Comparison.owner_id == self._owner_id
        query = select(Comparison).where(scope)
        return fetch_page(
            self._session, query, Comparison.id, page, scope=scope, prefix=COMPARISON_PREFIX
        )
