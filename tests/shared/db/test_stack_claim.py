"""Which queued runs a worker claims together with a first one, and how many."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from shared.db.migrate import apply_migrations
from shared.db.runs import Lease, Runs
from shared.db.session import Database
from shared.db.stack_claim import StackClaimer
from shared.db.tables import Job, Run
from tests.rows import RECIPE, add_job


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    apply_migrations(database_url)
    database = Database(database_url)
    yield database
    database.dispose()


def claim(database: Database, most: int, *, slots: int = 1, worker: str = "here:1") -> list[Lease]:
    with database.write() as session:
        first = Runs(session).claim_next(worker, 60.0)
        if first is None:
            return []
        return [
            first,
            *StackClaimer(session, worker, 60.0).claim_runs(first, max_size=most, slot_count=slots),
        ]


def list_indices(database: Database, holds: list[Lease]) -> list[int]:
    with database.read() as session:
        return [session.get_one(Run, hold.run_id).index for hold in holds]


def update_run(database: Database, job: Job, index: int, **values: object) -> None:
    with database.write() as session:
        session.execute(
            update(Run).where(Run.job_id == job.id, Run.index == index).values(**values)
        )


def test_by_index_up_to_so_many_and_each_is_an_ordinary_running_run(database: Database) -> None:
    job, _ = add_job(database, runs=6), add_job(database, runs=2)
    assert list_indices(database, claim(database, 4)) == [0, 1, 2, 3]
    assert list_indices(database, claim(database, 4)) == [4, 5]  # never runs of another job
    with database.read() as session:
        for run in Runs(session).list_by_job(job.id):
            assert (run.status, run.fence, run.attempt, run.worker) == ("running", 1, 1, "here:1")
            assert run.lease_until is not None


def test_with_one_nothing_is_taken_beside_it(database: Database) -> None:
    add_job(database, runs=3)
    assert list_indices(database, claim(database, 1)) == [0]


@pytest.mark.parametrize(
    "values",
    [
        {"fold": 1},
        {"stop_step": 5},
        {"state": "runs/x/1/state-5"},
        {"purpose": "pilot", "recipe": RECIPE.model_copy(update={"max_steps": 9})},
        {"purpose": "baselines"},
        {"held": True},
        {"cancel_requested": True},
        {"status": "paused"},
        {"stack_limit": 5},
    ],
    ids=lambda values: next(iter(values)),
)
def test_only_what_differs_in_its_seeds_alone(
    database: Database, values: dict[str, object]
) -> None:
    job = add_job(database, runs=4)
    for index in (1, 3):
        update_run(database, job, index, **values)
    taken = [list_indices(database, claim(database, 8)) for _ in range(3)]
    assert [0, 2] in taken


def test_pilots_of_one_candidate_and_states_of_one_step(database: Database) -> None:
    job = add_job(database, runs=8)
    for index in range(4):
        update_run(
            database,
            job,
            index,
            purpose="pilot",
            recipe=RECIPE.model_copy(update={"max_steps": 10 + index % 2}),
        )
    for index in range(4, 8):
        update_run(database, job, index, state=f"runs/{index}/1/state-{5 + index % 2}")
    assert list_indices(database, claim(database, 8)) == [0, 2]
    assert list_indices(database, claim(database, 8)) == [1, 3]
    assert list_indices(database, claim(database, 8)) == [4, 6]
    assert list_indices(database, claim(database, 8)) == [5, 7]


def test_baselines_are_scored_alone(database: Database) -> None:
    job = add_job(database, runs=2)
    for index in range(2):
        update_run(database, job, index, purpose="baselines")
    assert list_indices(database, claim(database, 8)) == [0]


def test_a_run_that_a_trainer_died_with_has_less_company(database: Database) -> None:
    job = add_job(database, runs=5)
    for index in range(5):
        update_run(database, job, index, stack_limit=2)
    assert list_indices(database, claim(database, 8)) == [0, 1]
    update_run(database, job, 2, stack_limit=1)
    assert list_indices(database, claim(database, 8)) == [2]
    assert list_indices(database, claim(database, 8)) == [3, 4]


def test_a_slot_leaves_its_share_to_neighbors_that_have_nothing_to_do(database: Database) -> None:
    add_job(database, runs=20)
    assert len(claim(database, 20, slots=3, worker="here:1")) == 7
    assert len(claim(database, 20, slots=3, worker="here:2")) == 7
    assert len(claim(database, 20, slots=3, worker="here:3")) == 6
    assert claim(database, 20, slots=3, worker="here:4") == []


def test_a_neighbor_that_trains_needs_no_share(database: Database) -> None:
    add_job(database, runs=1)
    assert len(claim(database, 20, slots=2, worker="here:1")) == 1
    add_job(database, runs=8)
    assert len(claim(database, 20, slots=2, worker="here:2")) == 8
    add_job(database, runs=8)
    # the slots of other machines are not known, and no neighbors
    assert len(claim(database, 20, slots=2, worker="there:1")) == 4


def test_however_many_ask_at_once_every_run_is_taken_once(database: Database) -> None:
    job = add_job(database, runs=40)
    with ThreadPoolExecutor(6) as pool:
        taken = [
            hold
            for holds in pool.map(lambda n: claim(database, 5, worker=f"w{n}:1"), range(24))
            for hold in holds
        ]
    left = []
    while more := claim(
        database, 5
    ):  # a claim that meets another in the act goes home early, as the next ring tells
        left += more
    assert len({hold.run_id for hold in taken + left}) == len(taken + left) == 40
    with database.read() as session:
        assert {(run.fence, run.attempt) for run in Runs(session).list_by_job(job.id)} == {(1, 1)}
