"""A run's metric series: points are unique by (run, step, name)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Select, delete, func, insert, or_, select
from sqlalchemy.orm import Session

from shared.db.tables import Metric


class Point(NamedTuple):
    name: str
    step: int
    value: float


class Thinned(NamedTuple):
    total: int
    """Points that there are."""
    points: list[tuple[int, float]]
    """(step, value) of those that are shown, by step."""


class Metrics:
    def __init__(self, session: Session) -> None:
        self._session = session

    def record(self, run_id: str, points: Iterable[Point]) -> None:
        rows = [{"run_id": run_id, **point._asdict()} for point in points]
        if rows:
            self._session.execute(insert(Metric), rows)

    def forget(self, run_id: str, *, after: int = 0) -> None:
        """A run that starts over begins with no points, one that goes on with those up to the step it goes on from."""
        self._session.execute(delete(Metric).where(Metric.run_id == run_id, Metric.step > after))

    def names(self, run_ids: Sequence[str]) -> set[str]:
        """The series that any of the runs has."""
        return set(self._session.scalars(select(Metric.name).where(Metric.run_id.in_(run_ids)).distinct()))

    def of_runs(self, run_ids: Sequence[str], name: str) -> dict[str, list[tuple[int, float]]]:
        """One series of many runs in one query: (step, value) by step; a run without points is left out."""
        query = select(Metric.run_id, Metric.step, Metric.value).where(Metric.run_id.in_(run_ids), Metric.name == name)
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for run_id, step, value in self._session.execute(query.order_by(Metric.run_id, Metric.step)):
            found[run_id].append((step, value))
        return dict(found)

    def of_run(
        self, run_id: str, *, names: Sequence[str] = (), step_from: int | None = None, step_to: int | None = None
    ) -> list[Point]:
        """All points of the named series (all series if none is named), by name and step; both ends of the range included."""
        query = self._points(run_id, names, step_from, step_to)
        return [Point(*row) for row in self._session.execute(query.order_by(Metric.name, Metric.step))]

    def thinned(
        self,
        run_id: str,
        *,
        names: Sequence[str] = (),
        step_from: int | None = None,
        step_to: int | None = None,
        resolution: int | None = None,
    ) -> dict[str, Thinned]:
        """The same by name, of each series at most ``resolution`` (2 or more) points, evenly thinned out by the database.

        The first and the last point stay, and a value is always a value recorded.
        """
        numbered = self._points(run_id, names, step_from, step_to).add_columns(
            (func.row_number().over(partition_by=Metric.name, order_by=Metric.step) - 1).label("place"),
            func.count().over(partition_by=Metric.name).label("total"),
        )
        points = numbered.subquery()
        query = select(points.c.name, points.c.step, points.c.value, points.c.total)
        if resolution is not None:
            # of n points the round(i * (n - 1) / (r - 1)) are kept, i = 0 … r - 1; in whole numbers, which every database divides alike
            last, parts = points.c.total - 1, resolution - 1
            nearest = (2 * points.c.place * parts + last) // func.nullif(2 * last, 0, type_=BigInteger)
            kept = points.c.place == (2 * nearest * last + parts) // (2 * parts)
            query = query.where(or_(points.c.total <= resolution, kept))
        found: dict[str, Thinned] = {}
        for name, step, value, total in self._session.execute(query.order_by(points.c.name, points.c.step)):
            found.setdefault(name, Thinned(total, [])).points.append((step, value))
        return found

    def _points(
        self, run_id: str, names: Sequence[str], step_from: int | None, step_to: int | None
    ) -> Select[str, int, float]:
        query = select(Metric.name, Metric.step, Metric.value).where(Metric.run_id == run_id)
        if names:
            query = query.where(Metric.name.in_(names))
        if step_from is not None:
            query = query.where(Metric.step >= step_from)
        if step_to is not None:
            query = query.where(Metric.step <= step_to)
        return query
