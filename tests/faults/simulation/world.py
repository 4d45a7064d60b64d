"""A job with everything around it: queue, database, storage, workers and a sweeper."""

import hashlib
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from shared.db.jobs import RUN_WAKE
from shared.db.migrate import apply_migrations
from shared.db.references import collect_references
from shared.db.session import Database, Message
from shared.db.tables import File, Job, Run
from shared.domain.states import ENDED_JOB_STATES, OPEN_JOB_STATES
from shared.infra.broker import JobQueue
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_file_key
from tests.faults.simulation.fences import FenceCounts, watch_fences
from tests.faults.simulation.jobs import JobKind
from tests.faults.simulation.numbers import list_all_runs, list_doubled, read_numbers
from tests.faults.simulation.points import FaultPoints, Killed, PointedDatabase, PointedStorage
from tests.faults.simulation.trainer import DeterministicTrainer
from tests.moves import install_audit
from tests.rows import add_job
from worker import db_retry, slot
from worker.context import WorkerContext
from worker.jobs.advance import advance_job
from worker.maintenance.garbage import sweep_storage
from worker.maintenance.sweeper import Sweeper
from worker.runs import finalizer, monitor
from worker.trainer.process import Trainer

MAX_ROUNDS_OF_WORK = 120
CONTENT = b"text,label\n" + b"a good film,yes\n" * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class LossyQueue:
    """The queue's messages; a fault may lose or double them."""

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.sent = 0

    def notify(self, message: Message) -> bool:
        self.messages.append(message)
        self.sent += 1
        return True

    def count_messages(self) -> int:
        return len(self.messages)


class World:
    """One home. Workers run one after the other, and within each other where one is frozen."""

    def __init__(self, folder: Path, url: str, models: Path) -> None:
        self.points = FaultPoints()
        self.queue = LossyQueue()
        self.fences = FenceCounts()
        self.settings = Settings(
            home=folder,
            database_url=url,
            model_dirs=str(models),
            heartbeat_seconds=600.0,
            lease_seconds=3600.0,  # time passes when a test says so
            requeue_seconds=3600.0,
        )
        apply_migrations(url)
        self.database = PointedDatabase(url, self.points, notify=self.queue.notify)
        self.plain_database = Database(url)
        """The database as a checker reads it, without moments."""
        self.storage = PointedStorage(self.settings.resolved_storage_url, self.points)
        self.plain_storage = Storage(self.settings.resolved_storage_url)
        self.trainer = DeterministicTrainer(self.points)
        install_audit(self.plain_database.engine)
        self.plain_storage.put_bytes(build_file_key(SHA256), CONTENT)
        self._sweeper = self._make_sweeper()

    def close(self) -> None:
        self.database.dispose()
        self.plain_database.dispose()

    @property
    def storage_folder(self) -> Path:
        return self.settings.home / "storage"

    def make_context(self) -> WorkerContext:
        trainer = cast(Trainer, DeterministicTrainer(self.points))
        self.trainer = cast(DeterministicTrainer, trainer)
        return WorkerContext(self.settings, self.database, self.storage, trainer)

    def create_job(self, kind: JobKind, owner_id: str = "local") -> str:
        """Store a job whose numbers do not depend on its ID, and return the ID.

        Its worker has to fetch the file.
        """
        self.delete_cache()
        job = add_job(self.database, runs=kind.runs, owner_id=owner_id)
        plain = {"owner_id": "local", "filename": "f.csv", "purpose": "fine-tune", "bytes": 1}
        with self.plain_database.write() as session:
            row = session.get_one(Job, job.id)
            row.model = "tiny-bert"
            kind.prepare(session, row)
            if session.get(File, "f") is None:
                session.add(File(id="f", sha256=SHA256, status="processed", **plain))
        return job.id

    # what happens of itself

    def work_until_ended(self, *job_ids: str) -> bool:
        """Let the sweeper tick and workers take messages; False if the jobs do not end."""
        for _ in range(MAX_ROUNDS_OF_WORK):
            have_ended = all(self.read_status(one) in ENDED_JOB_STATES for one in job_ids)
            if have_ended and not self.queue.messages:
                return True
            self._survive(self._sweeper.sweep)
            if self.queue.messages:
                self._survive(self.deliver_message)
            else:
                self.let_time_pass()
        return False

    def deliver_message(self) -> None:
        """Let a worker take the next message."""
        task, identifier = self.queue.messages.popleft()
        context = self.make_context()
        if task == RUN_WAKE:
            slot.train_queued_runs(context, preferred_run_id=identifier)
        else:
            advance_job(context, identifier)

    def _survive(self, work: Callable[[], None]) -> None:
        """Do the work of a process that may be killed, or whose task may end with an error; the
        next one starts where the rows stand.
        """
        try:
            work()
        except (Killed, SQLAlchemyError, OSError):
            self.let_time_pass()

    def let_time_pass(self) -> None:
        """Let every lease expire and every notification be old."""
        with self.plain_database.write() as session:
            session.execute(update(Run).where(Run.lease_until.is_not(None)).values(lease_until=1.0))
            session.execute(update(Job).where(Job.lease_until.is_not(None)).values(lease_until=1.0))
            session.execute(update(Run).where(Run.enqueued_at.is_not(None)).values(enqueued_at=1.0))

    def let_others_take_over(self) -> None:
        """Let leases expire, the sweeper take the runs back, and another worker train them.

        A second fault may kill that worker; its leases last.
        """
        self.let_time_pass()
        with suppress(Killed, SQLAlchemyError, OSError):
            self._sweeper.sweep()
            self.let_another_worker_work()

    def let_another_worker_work(self) -> None:
        while self.queue.messages:
            self.deliver_message()

    def list_wake_messages(self) -> list[Message]:
        """List a message for each run of the open jobs."""
        with self.plain_database.read() as session:
            open_jobs = select(Job.id).where(Job.status.in_(OPEN_JOB_STATES))
            run_ids = session.scalars(select(Run.id).where(Run.job_id.in_(open_jobs)))
            return [(RUN_WAKE, run_id) for run_id in run_ids]

    def list_attempts(self, job_id: str) -> list[int]:
        with self.plain_database.read() as session:
            return [run.attempt for run in list_all_runs(session, job_id)]

    def sweep_garbage(self, age: timedelta) -> None:
        """Collect garbage as if every blob had this age."""
        with self.plain_database.read() as session:
            references = collect_references(session)
        now = datetime.now(UTC) + age
        sweep_storage(references, self.plain_storage, self.plain_database, now=now)

    def sweep_once(self) -> None:
        self._sweeper.sweep()

    def take_storage_away(self, moments: int) -> None:
        """Take the storage's folder away, and give it back after so many moments."""
        if not self._away_folder.exists():
            self.storage_folder.rename(self._away_folder)
            self.points.arm(moments, self.restore_storage)

    def restore_storage(self) -> None:
        """Give the storage's folder back, if it is away, in place of what was written there."""
        if self._away_folder.exists():
            shutil.rmtree(self.storage_folder, ignore_errors=True)
            self._away_folder.rename(self.storage_folder)

    @property
    def _away_folder(self) -> Path:
        return self.storage_folder.with_name("away")

    def delete_cache(self) -> None:
        shutil.rmtree(self.settings.resolved_cache_dir, ignore_errors=True)

    def _make_sweeper(self) -> Sweeper:
        queue = cast(JobQueue, self.queue)
        return Sweeper(self.settings, self.database, queue, self.storage)

    # what is read of it

    def read_status(self, job_id: str) -> str:
        with self.plain_database.read() as session:
            return session.get_one(Job, job_id).status

    def read_numbers(self, job_id: str) -> dict[str, Any]:
        return read_numbers(self.plain_database, self.plain_storage, job_id)

    def list_doubled(self, job_id: str) -> list[str]:
        return list_doubled(self.plain_database, job_id)


@contextmanager
def open_world(folder: Path, url: str, models: Path) -> Iterator[World]:
    """Open a world in which nothing waits for the clock."""
    with use_no_clock() as patch:
        world = World(folder, url, models)
        try:
            watch_fences(patch, world.fences)
            yield world
        finally:
            world.close()


@contextmanager
def use_no_clock() -> Iterator[pytest.MonkeyPatch]:
    """Let the product wait for nothing while the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        # needs more fields than these rows have
        patch.setattr("worker.jobs.publish.render_model_card", lambda *_: "")
        patch.setattr(slot, "UNPREPARED_DELAY_S", 0.0)
        patch.setattr(finalizer, "STORAGE_RETRY_DELAYS_S", (0.0,))
        patch.setattr(monitor, "FLUSH_INTERVAL_S", 0.0)
        patch.setattr(db_retry, "RETRY_INTERVAL_S", 0.0)
        patch.setattr("worker.maintenance.sweeper.register_worker", lambda *_: None)
        yield patch
