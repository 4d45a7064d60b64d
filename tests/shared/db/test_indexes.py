"""The queries that are made often, or over everything, are answered from an index: as PostgreSQL itself plans them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from shared.db import queue, speed, usage
from shared.db.deliveries import Deliveries
from shared.db.events import Events
from shared.db.metrics import Metrics
from shared.db.migrate import upgrade
from shared.db.session import Database
from shared.db.tables import Job
from shared.db.wishes import in_training
from tests.conftest import new_database
from tests.rows import add_job

QUERIES: list[tuple[Callable[[Session, str], object], str]] = [
    (lambda session, _: speed.measured_speed(session, "local", "m", "float32", "x"), "ix_jobs_owner_id_model_id"),
    (lambda session, _: usage.runs_ended(session, "local", 1, 2), "ix_runs_owner_id_finished_at"),
    (lambda session, _: queue.waiting_runs(session), "ix_runs_status_id"),
    (lambda session, _: queue.runs_in_training(session), "ix_runs_status_id"),
    (lambda session, job_id: in_training(session, job_id), "ix_runs_job_id_purpose_index"),
    (lambda session, _: Deliveries(session).any_due(), "ix_webhook_deliveries_status_next_attempt_at"),
    (lambda session, job_id: Events(session).after(job_id, 5, 10), "ix_events_job_id_seq"),
    (lambda session, _: Metrics(session).thinned("r", names=["a"], step_from=3, resolution=9), "pk_metrics"),
]


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Database]:
    url = new_database(request, "postgresql", tmp_path)
    upgrade(url)
    database = Database(url)
    yield database
    database.dispose()


def plans(database: Database, query: Callable[[Session], object]) -> list[str]:
    """Of every statement that the query makes, as if the tables were too large to be read through."""
    made: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        made.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.read() as session:
        query(session)
    event.remove(database.engine, "before_cursor_execute", note)
    found = []
    with database.engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        for statement, parameters in made:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            found.append("\n".join(row[0] for row in rows))
    return found


def test_from_an_index(database: Database) -> None:
    job = add_job(database, runs=2)
    with database.write() as session:
        session.get_one(Job, job.id).resolved_recipe = {"train_batch_size": 8}
    for query, index in QUERIES:
        found = plans(database, lambda session, query=query: query(session, job.id))  # type: ignore[misc]
        assert any(index in plan for plan in found), (index, found)
        assert not any("Seq Scan" in plan for plan in found), found
