"""Down-sampling in the database picks the same points as plain arithmetic."""

from collections.abc import Iterator

import pytest

from shared.db.metrics import Metrics, Point
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Run
from tests.rows import add_job


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    apply_migrations(database_url)
    database = Database(database_url)
    yield database
    database.dispose()


def pick_evenly_spaced(points: int, resolution: int) -> list[int]:
    """Return the points nearest to equal distances, halves rounded up."""
    last, parts = points - 1, resolution - 1
    return [(2 * i * last + parts) // (2 * parts) for i in range(resolution)]


def test_thinned_evenly_with_both_ends(database: Database) -> None:
    job = add_job(database, runs=2)
    lengths = {"one": 1, "two": 2, "few": 7, "many": 101}
    with database.write() as session:
        first, second = session.query(Run).where(Run.job_id == job.id).order_by(Run.index)
        for name, length in lengths.items():
            points = [Point(name, 10 + step, step / 8) for step in range(length)]
            Metrics(session).insert_points(first.id, points)
        Metrics(session).insert_points(second.id, [Point("many", 1, 9.0)])
    with database.read() as session:
        metrics = Metrics(session)
        for resolution in (2, 3, 6, 7, 8, 40, 100, 101, 500):
            found = metrics.get_downsampled_series(first.id, resolution=resolution)
            for name, length in lengths.items():
                kept = (
                    pick_evenly_spaced(length, resolution) if length > resolution else range(length)
                )
                assert found[name].total == length
                assert found[name].points == [(10 + step, step / 8) for step in kept], (
                    name,
                    resolution,
                )
        part = metrics.get_downsampled_series(
            first.id, names=["many", "none"], step_from=20, step_to=59, resolution=5
        )
        assert list(part) == ["many"]
        assert (part["many"].total, part["many"].points[0], part["many"].points[-1]) == (
            40,
            (20, 1.25),
            (59, 6.125),
        )
        assert (
            metrics.get_downsampled_series(first.id)["many"].total
            == len(metrics.get_downsampled_series(first.id)["many"].points)
            == 101
        )
