"""One round of the sweeper; the job queue is simulated, the database and the storage are real."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from shared.db.migrate import apply_migrations
from shared.db.runs import Runs
from shared.db.session import Database, Message
from shared.db.tables import File, Job, Run, Upload
from shared.db.uploads import RETENTION_S
from shared.domain.states import UploadState
from shared.infra.broker import BrokerUnreachable, JobQueue
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from tests.rows import add_job
from worker.maintenance.sweeper import Sweeper


class CountingQueue:
    def __init__(self, depth: int | None = 0) -> None:
        self.rung: list[Message] = []
        self._depth = depth
        """Messages in the queue; None: the broker is away."""

    def notify(self, message: Message) -> bool:
        self.rung.append(message)
        return self._depth is not None

    def count_messages(self) -> int:
        if self._depth is None:
            raise BrokerUnreachable("refused")
        return self._depth


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    apply_migrations(settings.resolved_database_url)
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


def sweep(settings: Settings, database: Database, queue: CountingQueue) -> list[Message]:
    Sweeper(
        settings, database, cast(JobQueue, queue), Storage(settings.resolved_storage_url)
    ).sweep()
    return queue.rung


def test_queued_runs_are_notified_again_after_an_interval(
    settings: Settings, database: Database
) -> None:
    job = add_job(database, runs=3)
    with database.read() as session:
        expected = [("run.wake", run.id) for run in Runs(session).list_by_job(job.id)]
    assert sweep(settings, database, CountingQueue()) == expected
    assert sweep(settings, database, CountingQueue()) == []  # their messages were just sent


def test_only_messages_missing_in_the_queue_are_sent(
    settings: Settings, database: Database
) -> None:
    add_job(database, runs=3)
    assert len(sweep(settings, database, CountingQueue(depth=2))) == 1
    assert sweep(settings, database, CountingQueue(depth=50)) == []


def test_an_unreachable_broker_changes_nothing(settings: Settings, database: Database) -> None:
    add_job(database, runs=3)
    assert sweep(settings, database, CountingQueue(depth=None)) == []
    assert len(sweep(settings, database, CountingQueue())) == 3


def test_the_run_of_a_lost_worker_is_requeued_and_notified(
    settings: Settings, database: Database
) -> None:
    job = add_job(database, runs=1)
    with database.write() as session:
        hold = Runs(session).claim_next("gone", -1.0)
    assert hold is not None
    assert sweep(settings, database, CountingQueue()) == [("run.wake", hold.run_id)]
    with database.read() as session:
        run = session.get_one(Run, hold.run_id)
        assert (run.status, run.fence) == ("queued", hold.fence + 1)
        assert session.get_one(Job, job.id).status == "queued"


def test_a_job_that_waits_to_advance_is_notified(settings: Settings, database: Database) -> None:
    job = add_job(database, runs=1)
    with database.write() as session:
        for run in session.query(Run).where(Run.job_id == job.id):
            run.status = "succeeded"
    assert sweep(settings, database, CountingQueue()) == [("job.advance", job.id)]


def test_expired_files_are_deleted_unless_a_job_needs_them(
    settings: Settings, database: Database
) -> None:
    storage = Storage(settings.resolved_storage_url)
    job = add_job(database, runs=1)  # on the file "f"
    plain = {
        "owner_id": "local",
        "filename": "a",
        "purpose": "fine-tune",
        "bytes": 1,
        "status": "processed",
    }
    with database.write() as session:
        session.add_all(
            [
                File(id="f", sha256="needed", expires_at=1.0, **plain),
                File(id="old", sha256="old", expires_at=1.0, **plain),
                File(id="old-too", sha256="shared", expires_at=1.0, **plain),
                File(id="kept", sha256="shared", **plain),
                File(id="young", sha256="young", expires_at=1e12, **plain),
            ]
        )
    for digest in ("needed", "old", "shared", "young"):
        storage.put_bytes(f"files/{digest}", b"x")
    sweep(settings, database, CountingQueue())
    with database.read() as session:
        assert {file.id for file in session.query(File)} == {job.training_file, "kept", "young"}
    assert {blob.key for blob in storage.list("files")} == {
        "files/needed",
        "files/shared",
        "files/young",
    }


def test_uploads_that_ended_long_ago_are_deleted(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"owner_id": "local", "filename": "a", "purpose": "fine-tune", "bytes": 1}
    now = time.time()
    with database.write() as session:
        session.add(File(id="made-of-one", sha256="a", status="processed", **plain))
        for state in UploadState:
            for age, time_over in (
                ("old", now - RETENTION_S - 60),
                ("young", now - RETENTION_S + 600),
            ):
                session.add(
                    Upload(id=f"{age}-{state}", status=state, expires_at=time_over, **plain)
                )
    sweep(settings, database, CountingQueue())  # just started: garbage is collected once an hour
    with database.read() as session:
        assert session.query(Upload).filter(Upload.status != "expired").count() == 4
    monkeypatch.setattr("worker.maintenance.sweeper.CLEANUP_INTERVAL_S", -1.0)
    sweep(settings, database, CountingQueue())
    with database.read() as session:
        left = {upload.id for upload in session.query(Upload)}
        assert session.query(File).count() == 1
    assert left == {"young-pending", "young-completed", "young-cancelled", "young-expired"}
