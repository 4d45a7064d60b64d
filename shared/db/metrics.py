"""Queries on metric series: points are unique by (run, step, name)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.orm import Session

from shared.db.downsampling import (
    DownsampledSeries,
    PointsQuery,
    load_downsampled_series,
    load_full_series,
)
from shared.db.tables import Metric


class Point(NamedTuple):
    name: str
    step: int
    value: float


class Metrics:
    def __init__(self, session: Session) -> None:
        self._session = session

    def insert_points(self, run_id: str, points: Iterable[Point]) -> None:
        rows = [{"run_id": run_id, **point._asdict()} for point in points]
        if rows:
            self._session.execute(insert(Metric), rows)

    def delete_points(self, run_id: str, *, after_step: int | None) -> None:
        """Delete the points after a step, or all of them, with None, if the run starts over."""
        later = () if after_step is None else (Metric.step > after_step,)
        self._session.execute(delete(Metric).where(Metric.run_id == run_id, *later))

    def list_names(self, run_ids: Sequence[str]) -> set[str]:
        """List the names of the series that any of the runs has."""
        return set(
            self._session.scalars(select(Metric.name).where(Metric.run_id.in_(run_ids)).distinct())
        )

    def get_series_by_run(
        self, run_ids: Sequence[str], name: str
    ) -> dict[str, list[tuple[int, float]]]:
        """Return one series of many runs in one query: (step, value) by step; runs without
        points are left out.
        """
        query = select(Metric.run_id, Metric.step, Metric.value).where(
            Metric.run_id.in_(run_ids), Metric.name == name
        )
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for run_id, step, value in self._session.execute(
            query.order_by(Metric.run_id, Metric.step)
        ):
            found[run_id].append((step, value))
        return dict(found)

    def get_values_at_steps(self, step_by_run: Mapping[str, int], name: str) -> dict[str, float]:
        """Return one value of a series for each run; runs without a point there are left out."""
        query = select(Metric.run_id, Metric.value).where(
            Metric.name == name,
            Metric.run_id.in_(step_by_run),
            tuple_(Metric.run_id, Metric.step).in_(step_by_run.items()),
        )
        return {row.run_id: row.value for row in self._session.execute(query)}

    def list_points(
        self,
        run_id: str,
        *,
        names: Sequence[str] = (),
        step_from: int | None = None,
        step_to: int | None = None,
    ) -> list[Point]:
        """Return all points of the named series, or of every series, by name and step. Both
        ends of the range are included.
        """
        query = self._build_query(run_id, names, step_from, step_to)
        return [
            Point(*row) for row in self._session.execute(query.order_by(Metric.name, Metric.step))
        ]

    def get_downsampled_series(
        self,
        run_id: str,
        *,
        names: Sequence[str] = (),
        step_from: int | None = None,
        step_to: int | None = None,
        resolution: int | None = None,
    ) -> dict[str, DownsampledSeries]:
        """Return at most ``resolution`` (2 or more) points of each series, evenly down-sampled."""
        points = self._build_query(run_id, names, step_from, step_to)
        return (
            load_full_series(self._session, points)
            if resolution is None
            else load_downsampled_series(self._session, points, resolution)
        )

    def _build_query(
        self, run_id: str, names: Sequence[str], step_from: int | None, step_to: int | None
    ) -> PointsQuery:
        query = select(Metric.name, Metric.step, Metric.value).where(Metric.run_id == run_id)
        if names:
            query = query.where(Metric.name.in_(names))
        if step_from is not None:
            query = query.where(Metric.step >= step_from)
        if step_to is not None:
            query = query.where(Metric.step <= step_to)
        return query
