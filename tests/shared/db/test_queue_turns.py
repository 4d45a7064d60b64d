"""Owners take turns in the queue, and the positions that jobs show agree with the claims."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from shared.db.migrate import apply_migrations
from shared.db.queue_turns import count_runs_ahead, list_owners_in_turn
from shared.db.runs import Runs
from shared.db.session import Database
from shared.db.tables import Job, QueueTurn, Run
from tests.conftest import new_database
from tests.rows import add_job


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    url = new_database(request, request.param, tmp_path_factory.mktemp("turns"))
    apply_migrations(url)
    database = Database(url)
    yield database
    database.dispose()


@pytest.fixture
def database(module_database: Database) -> Database:
    empty(module_database)
    return module_database


def empty(database: Database) -> None:
    with database.write() as session:
        session.execute(delete(Job))
        session.execute(delete(QueueTurn))


def claim(database: Database, prefer: str | None = None) -> Run | None:
    with database.write() as session:
        lease = Runs(session).claim_next("w:0", 600.0, preferred_run_id=prefer)
        return None if lease is None else session.get_one(Run, lease.run_id)


def claim_all(database: Database) -> list[Run]:
    runs = []
    while (run := claim(database)) is not None:
        runs.append(run)
    return runs


def test_many_runs_of_one_owner_do_not_hold_up_one_of_another(database: Database) -> None:
    for _ in range(5):
        add_job(database, runs=40, owner_id="many")
    assert [run.owner_id for run in (claim(database), claim(database)) if run] == ["many"] * 2
    small = add_job(database, runs=1, owner_id="few")
    with database.read() as session:
        assert count_runs_ahead(session, "few", small.id) == 0
    run = claim(database)
    assert run is not None
    assert run.job_id == small.id


def test_within_an_owner_older_jobs_come_first(database: Database) -> None:
    jobs = [add_job(database, runs=3, owner_id=owner) for owner in ("a", "b", "a", "b")]
    claimed = claim_all(database)
    assert [run.owner_id for run in claimed] == ["a", "b"] * 6
    for owner, first, second in (("a", 0, 2), ("b", 1, 3)):
        own = [(run.job_id, run.index) for run in claimed if run.owner_id == owner]
        assert own == list(product((jobs[first].id,), range(3))) + list(
            product((jobs[second].id,), range(3))
        )


def test_an_owner_who_comes_back_does_not_catch_up(database: Database) -> None:
    """Turns that an owner has not used are not saved."""
    add_job(database, runs=1, owner_id="b")
    assert claim(database) is not None
    add_job(database, runs=20, owner_id="a")
    for _ in range(6):
        claim(database)
    add_job(database, runs=20, owner_id="b")
    owners = [run.owner_id for run in (claim(database) for _ in range(6)) if run is not None]
    assert owners == ["b", "a"] * 3


def test_the_run_of_a_message_does_not_jump_the_turn(database: Database) -> None:
    first = add_job(database, runs=3, owner_id="a")
    add_job(database, runs=1, owner_id="b")
    with database.read() as session:
        last_of_a = Runs(session).list_by_job(first.id)[2].id
    owners = []
    for _ in range(2):
        run = claim(database, prefer=last_of_a)
        assert run is not None
        owners.append(run.owner_id)
    assert owners == ["a", "b"]


def test_held_runs_take_no_turn(database: Database) -> None:
    held = add_job(database, runs=2, owner_id="a")
    with database.write() as session:
        session.query(Run).filter_by(job_id=held.id).update({"held": True})
    other = add_job(database, runs=1, owner_id="b")
    with database.read() as session:
        assert list_owners_in_turn(session) == ["b"]
        assert count_runs_ahead(session, "a", held.id) == 0
    run = claim(database)
    assert run is not None
    assert run.job_id == other.id


QUEUES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), min_size=1, max_size=6)


@settings(max_examples=15, deadline=None)
@given(queue=QUEUES, claimed_before=st.integers(0, 5))
def test_a_position_is_the_number_of_claims_before(
    module_database: Database, queue: list[tuple[str, int]], claimed_before: int
) -> None:
    empty(module_database)
    jobs = [add_job(module_database, runs=runs, owner_id=owner) for owner, runs in queue]
    started = {run.job_id for run in (claim(module_database) for _ in range(claimed_before)) if run}
    with module_database.read() as session:
        positions = {
            job.id: count_runs_ahead(session, job.owner_id, job.id)
            for job in jobs
            if job.id not in started
        }
    order = [run.job_id for run in claim_all(module_database)]
    assert positions == {job_id: order.index(job_id) for job_id in positions}


def test_workers_that_claim_at_once_share_the_runs(database: Database) -> None:
    for owner in "abc":
        add_job(database, runs=8, owner_id=owner)
    with ThreadPoolExecutor(6) as pool:
        claimed = [run for run in pool.map(lambda _: claim(database), range(24)) if run]
    assert len({run.id for run in claimed}) == len(claimed) == 24
