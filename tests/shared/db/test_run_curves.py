"""The curves of several runs come from one query, thinned to the steps that were asked for."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from shared.db.metrics import Metrics, Point
from shared.db.migrate import apply_migrations
from shared.db.run_curves import CurveSteps, load_curves, thin_steps
from shared.db.session import Database
from shared.db.tables import Run
from tests.rows import add_job


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    apply_migrations(database_url)
    database = Database(database_url)
    yield database
    database.dispose()


def test_both_ends_stay() -> None:
    assert thin_steps(range(1, 2001), 200)[0] == 1
    assert thin_steps(range(1, 2001), 200)[-1] == 2000
    assert len(thin_steps(range(1, 2001), 200)) == 200
    assert thin_steps([3, 7], 200) == [3, 7]


def test_only_the_wanted_points_of_every_run_come_in_one_query(database: Database) -> None:
    job = add_job(database, runs=3)
    with database.write() as session:
        runs = session.query(Run).where(Run.job_id == job.id).order_by(Run.index).all()
        first, second, empty = [run.id for run in runs]
        for run_id, length in ((first, 400), (second, 250)):
            points = [Point("loss", step, step / 8) for step in range(1, length + 1)]
            Metrics(session).insert_points(run_id, [*points, Point("score", 250, 0.5)])
    wanted = [
        CurveSteps([first, second, empty], ["loss"], thin_steps(range(1, 401), 100)),
        CurveSteps([first, second, empty], ["score"], [250, 400]),
        CurveSteps([], ["loss"], [1]),
    ]
    statements: list[str] = []
    with database.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *a: statements.append(a[2]))
        found = load_curves(session, wanted)
    assert len(statements) == 1
    assert {name: set(by_run) for name, by_run in found.items()} == {
        "loss": {first, second},
        "score": {first, second},
    }
    steps = thin_steps(range(1, 401), 100)
    assert found["loss"][first] == [(step, step / 8) for step in steps]
    assert found["loss"][second] == [(step, step / 8) for step in steps if step <= 250]
    assert found["score"][second] == [(250, 0.5)]


def test_without_runs_nothing_is_read(database: Database) -> None:
    with database.read() as session:
        assert not load_curves(session, [])
