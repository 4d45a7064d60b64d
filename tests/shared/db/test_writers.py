"""Many writers of a SQLite database wait for each other, and none is refused."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.migrate import apply_migrations
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.timings import SQLITE_WAIT_S
from tests.rows import add_job

WRITERS = 8


def write_often(url: str, count: int) -> int:
    """Create a job, fill and delete it in turns, as clients and workers do; return the number of
    transactions. Raises what a transaction raises.
    """
    database = Database(url)
    for number in range(count):
        job = add_job(database, runs=3)
        with database.write() as session:
            run = session.query(Run).where(Run.job_id == job.id).limit(1).one()
            Metrics(session).insert_points(
                run.id, [Point("train_loss", step, 0.5) for step in range(1, 400)]
            )
        with database.write() as session:
            if number % 2:
                session.delete(session.get_one(Job, job.id))
            else:
                Jobs(session).request_cancel(session.get_one(Job, job.id))
    database.dispose()
    return 3 * count


def run_writers(folder: Path, transactions: int) -> int:
    url = f"sqlite:///{folder / 'test.db'}"
    apply_migrations(url)
    each = -(-transactions // (3 * WRITERS))
    with ProcessPoolExecutor(WRITERS, multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(write_often, [url] * WRITERS, [each] * WRITERS))


def test_eight_writers_are_never_refused(tmp_path: Path) -> None:
    assert run_writers(tmp_path, 240) >= 240


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_eight_writers_are_not_refused_in_ten_thousand_transactions(tmp_path: Path) -> None:
    assert run_writers(tmp_path, 10_000) >= 10_000


def test_a_writer_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    with database.read() as session:
        assert session.scalar(text("PRAGMA busy_timeout")) == SQLITE_WAIT_S * 1000
    database.dispose()
