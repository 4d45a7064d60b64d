"""The guarded transitions of runs, on both databases."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.db.job_advances import JobAdvances
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics, Point
from shared.db.migrate import apply_migrations
from shared.db.recovery import RunRecovery
from shared.db.run_requests import RunRequests
from shared.db.runs import FenceLost, Lease, RunFlags, Runs
from shared.db.session import Database, Message, notify_after_commit
from shared.db.tables import Job, Run
from shared.domain.states import JobState, RunState
from tests.rows import add_job, job_values


@pytest.fixture
def rung() -> list[Message]:
    return []


@pytest.fixture
def database(database_url: str, rung: list[Message]) -> Iterator[Database]:
    apply_migrations(database_url)

    def notify(message: Message) -> bool:
        rung.append(message)
        return True

    database = Database(database_url, notify=notify)
    yield database
    database.dispose()


def claim(database: Database, *, lease: float = 60.0, prefer: str | None = None) -> Lease | None:
    with database.write() as session:
        return Runs(session).claim_next("worker-1", lease, preferred_run_id=prefer)


def claim_some_run(database: Database, *, lease: float = 60.0) -> Lease:
    hold = claim(database, lease=lease)
    assert hold is not None
    return hold


def get_run(database: Database, hold: Lease) -> Run:
    with database.read() as session:
        return session.get_one(Run, hold.run_id)


def test_messages_leave_after_the_commit_and_never_after_a_rollback(
    database: Database, rung: list[Message]
) -> None:
    add_job(database)
    assert [task for task, _ in rung] == ["run.wake", "run.wake"]
    rung.clear()

    def half_done() -> None:
        with database.write() as session:
            Jobs(session).add(Job(**job_values()), [])
            notify_after_commit(session, "run.wake", "ftrun-1")
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        half_done()
    assert rung == []


def test_every_run_is_claimed_once_however_many_ask(database: Database) -> None:
    add_job(database, runs=8)
    with ThreadPoolExecutor(8) as pool:
        holds = list(pool.map(lambda _: claim(database), range(24)))
    taken = [hold.run_id for hold in holds if hold is not None]
    assert len(taken) == len(set(taken)) == 8


def test_the_preferred_run_first_then_the_oldest(database: Database) -> None:
    older, newer = add_job(database), add_job(database)
    with database.read() as session:
        wanted = Runs(session).list_by_job(newer.id)[1].id
    first = claim(database, prefer=wanted)
    second = claim(database, prefer=wanted)
    assert first is not None
    assert second is not None
    assert first.run_id == wanted
    assert get_run(database, second).job_id == older.id


def test_a_worker_that_was_given_up_can_write_nothing_more(database: Database) -> None:
    add_job(database, runs=1)
    old = claim_some_run(database, lease=-1.0)
    with database.write() as session:
        Runs(session).record_progress(old, -1.0, [Point("train_loss", 1, 0.7)], step=1)
    with database.write() as session:
        assert [lost.state for lost in RunRecovery(session).release_expired_leases()] == ["queued"]
    new = claim_some_run(database)
    assert new.run_id == old.run_id
    assert new.fence > old.fence
    writes: tuple[Callable[[Runs], object], ...] = (
        lambda runs: runs.record_progress(old, 60.0, [Point("train_loss", 2, 0.6)], step=2),
        lambda runs: runs.finish_run(old, RunState.SUCCEEDED),
        lambda runs: runs.requeue_run(old),
    )
    for write in writes:
        with pytest.raises(FenceLost), database.write() as session:
            write(Runs(session))
    with database.read() as session:
        assert Runs(session).get_flags([old]) == {}
        assert Runs(session).get_flags([new]) == {new.run_id: RunFlags(cancel=False, pause=False)}
    run = get_run(database, new)
    assert (run.status, run.attempt, run.step) == ("running", 2, 0)
    with database.read() as session:
        assert (
            Metrics(session).list_points(run.id) == []
        )  # the new attempt starts without the old one's points


def test_a_living_lease_is_left_alone(database: Database) -> None:
    add_job(database, runs=1)
    hold = claim_some_run(database, lease=60.0)
    with database.write() as session:
        assert RunRecovery(session).release_expired_leases() == []
    assert get_run(database, hold).status == "running"


def test_an_ended_run_stays_as_it_ended(database: Database) -> None:
    job = add_job(database, runs=1)
    hold = claim_some_run(database)
    with database.write() as session:
        Runs(session).finish_run(hold, RunState.SUCCEEDED, validation_score=0.5)
    with database.write() as session:
        RunRequests(session).cancel_runs(job.id)
        assert RunRecovery(session).release_expired_leases(all_leases=True) == []
    assert claim(database, prefer=hold.run_id) is None
    assert get_run(database, hold).status == "succeeded"


def test_a_run_that_is_to_be_cancelled_is_not_queued_again(database: Database) -> None:
    """The wish came while the worker was going, or its trainer dying: nobody would claim the
    run any more.
    """
    job = add_job(database, runs=1)
    hold = claim_some_run(database)
    with database.write() as session:
        RunRequests(session).cancel_runs(job.id)
    with database.write() as session:
        Runs(session).requeue_run(hold, deaths=1, death_step=4)
    run = get_run(database, hold)
    assert (run.status, run.deaths) == ("cancelled", 1)
    assert run.finished_at is not None


def test_a_job_without_open_runs_is_cancelled_without_a_worker(database: Database) -> None:
    job = add_job(database, runs=2)
    with database.write() as session:
        jobs = Jobs(session)
        assert jobs.finish_cancelled_job(job.id) is False  # nobody has wished for it
        assert jobs.request_cancel(job)
        assert jobs.finish_cancelled_job(job.id) is False  # its runs are still open
        RunRequests(session).cancel_runs(job.id)
        assert jobs.finish_cancelled_job(job.id) is True
        assert jobs.finish_cancelled_job(job.id) is False
    with database.read() as session:
        assert session.get_one(Job, job.id).status == "cancelled"


def test_a_broker_that_is_away_is_asked_once(database_url: str) -> None:
    asked: list[Message] = []

    def notify(message: Message) -> bool:
        asked.append(message)
        return False

    apply_migrations(database_url)
    database = Database(database_url, notify=notify)
    add_job(database, runs=20)
    database.dispose()
    assert len(asked) == 1


def test_a_warning_is_said_once(database: Database) -> None:
    job = add_job(database)
    with database.write() as session:
        assert Jobs(session).add_warning(job.id, "run_failed", "Run 0 failed.") is True
    with database.write() as session:
        assert Jobs(session).add_warning(job.id, "run_failed", "Run 0 failed.") is False
        assert Jobs(session).add_warning(job.id, "run_failed", "Run 1 failed.") is True
    with database.read() as session:
        assert len(session.get_one(Job, job.id).warnings) == 2


def test_cancelling_takes_the_queued_at_once_and_flags_the_running(database: Database) -> None:
    job = add_job(database, runs=2)
    hold = claim_some_run(database)
    with database.write() as session:
        RunRequests(session).cancel_runs(job.id)
    with database.write() as session:
        assert Runs(session).record_progress(hold, 60.0) is True
        assert sorted(run.status for run in Runs(session).list_by_job(job.id)) == [
            "cancelled",
            "running",
        ]
    with database.write() as session:
        assert JobAdvances(session).claim_to_advance(job.id, 60.0) is None  # a run is still open
        Runs(session).finish_run(hold, RunState.CANCELLED)
    with database.write() as session:
        fence = JobAdvances(session).claim_to_advance(job.id, 60.0)
        assert fence is not None
        assert JobAdvances(session).claim_to_advance(job.id, 60.0) is None  # one worker at a time
        JobAdvances(session).finish_job(job.id, fence, JobState.CANCELLED)
    with pytest.raises(FenceLost), database.write() as session:
        JobAdvances(session).finish_job(job.id, fence, JobState.SUCCEEDED)
