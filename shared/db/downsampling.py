"""Down-sampling of long series: of n points, those at round(i * (n - 1) / (r - 1)) are shown,
for i = 0 … r - 1 and the resolution r.

The first and last points stay, and every value shown was recorded. The positions are usually
known without reading the points: a series without gaps has one point per step, so its length is
enough.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, Select, func, select
from sqlalchemy.orm import Session

from shared.db.tables import Metric

PointsQuery = Select[str, int, float]
"""Names, steps and values, in no order."""


class DownsampledSeries(NamedTuple):
    total: int
    """Number of recorded points."""
    points: list[tuple[int, float]]
    """(step, value) of the points shown, by step."""


class _Extent(NamedTuple):
    name: str
    total: int
    first: int
    last: int
    """Steps shown."""

    @property
    def is_gapless(self) -> bool:
        return self.last - self.first + 1 == self.total


def load_full_series(session: Session, query: PointsQuery) -> dict[str, DownsampledSeries]:
    """Group every point by series name."""
    found = _group_by_name(session.execute(query))
    return {name: DownsampledSeries(len(found[name]), found[name]) for name in sorted(found)}


def load_downsampled_series(
    session: Session, query: PointsQuery, resolution: int
) -> dict[str, DownsampledSeries]:
    """Return at most ``resolution`` (2 or more) points of each series, by name."""
    measures = (Metric.name, func.count(), func.min(Metric.step), func.max(Metric.step))
    extents = [
        _Extent(*row)
        for row in session.execute(query.with_only_columns(*measures).group_by(Metric.name))
    ]
    found = _group_by_name(
        row
        for query in _build_queries(query, extents, resolution)
        for row in session.execute(query)
    )
    return {
        extent.name: DownsampledSeries(extent.total, found[extent.name])
        for extent in sorted(extents)
    }


def _build_queries(
    base_query: PointsQuery, extents: Sequence[_Extent], resolution: int
) -> Iterator[PointsQuery]:
    """Conditions that together select the points shown of each series."""
    short, gapless, others = [], defaultdict(list), []
    for extent in extents:
        if extent.total <= resolution:
            short.append(extent.name)
        elif extent.is_gapless:
            gapless[extent.first, extent.last].append(extent.name)
        else:
            others.append(extent.name)
    if short:
        yield base_query.where(Metric.name.in_(short))
    for (first, last), names in gapless.items():
        steps = [first + place for place in compute_positions(last - first + 1, resolution)]
        yield base_query.where(Metric.name.in_(names), Metric.step.in_(steps))
    if others:
        yield _build_numbered_query(base_query.where(Metric.name.in_(others)), resolution)


def compute_positions(total: int, resolution: int) -> list[int]:
    """Return the positions, from 0, of the points shown of ``total`` points; halves round up."""
    last, parts = total - 1, resolution - 1
    return [(2 * i * last + parts) // (2 * parts) for i in range(resolution)]


def _build_numbered_query(query: PointsQuery, resolution: int) -> PointsQuery:
    """Select the points in the database by numbering them; every series must have more than
    ``resolution`` points.
    """
    numbered = query.add_columns(
        (func.row_number().over(partition_by=Metric.name, order_by=Metric.step) - 1).label("place"),
        func.count().over(partition_by=Metric.name).label("total"),
    ).subquery()
    # integer arithmetic, which every database rounds alike: is this position the nearest to any
    # i?
    last, parts = numbered.c.total - 1, resolution - 1
    nearest = (2 * numbered.c.place * parts + last) // func.nullif(2 * last, 0, type_=BigInteger)
    shown = numbered.c.place == (2 * nearest * last + parts) // (2 * parts)
    return select(numbered.c.name, numbered.c.step, numbered.c.value).where(shown)


def _group_by_name(rows: Iterable[tuple[str, int, float]]) -> dict[str, list[tuple[int, float]]]:
    """(step, value) by step."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, step, value in rows:
        found[name].append((step, value))
    for points in found.values():
        points.sort()
    return found
