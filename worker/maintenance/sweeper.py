"""``python -m worker.maintenance.sweeper``: takes back what lost workers hold, rings again for
what should go on, and sends webhooks.

Any number of copies may run, on any machine, and any of them may be killed at any moment: each
act is a guarded update.
"""

import logging
import signal
import sys
import threading
import time
from itertools import takewhile
from types import FrameType

from obstore.exceptions import BaseError as StorageError
from sqlalchemy.exc import SQLAlchemyError

from shared.db.events import Events
from shared.db.files import digest_is_used, expired, hold_digest
from shared.db.jobs import JOB_ADVANCE, RUN_WAKE, Jobs
from shared.db.runs import LostRun, Runs
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.db.uploads import Uploads, forget_ended, overdue
from shared.domain.naming import run_title
from shared.domain.states import RunState, UploadState
from shared.infra import log as logs
from shared.infra.broker import Bell, BrokerAway
from shared.infra.settings import Settings
from shared.infra.storage import Storage, file_key, parts_prefix
from worker.maintenance.garbage import collect_references, sweep_cache, sweep_storage
from worker.maintenance.registration import REGISTRATION_INTERVAL_S, register_worker
from worker.maintenance.webhook_sender import WebhookSender

log = logging.getLogger(__name__)
CLEANUP_INTERVAL_S = 3600.0
SENDER_THREADS = 2
BATCH_SIZE = 100  # rings a tick; a longer queue has enough messages in it already


class Sweeper:
    def __init__(
        self, settings: Settings, database: Database, queue: Bell, storage: Storage
    ) -> None:
        self._settings = settings
        self._database = database
        self._queue = queue
        self._storage = storage
        self._next_cleanup = time.monotonic() + CLEANUP_INTERVAL_S
        self._next_registration = time.monotonic()

    def sweep(self) -> None:
        """One look. Raises SQLAlchemyError when the database is away."""
        self._register_worker()
        self._release_expired_leases()
        self._notify_queued_runs()
        self._notify_waiting_jobs()
        self._delete_expired()
        self._end_overdue_uploads()
        self._collect_garbage()

    def _register_worker(self) -> None:
        if time.monotonic() >= self._next_registration:
            self._next_registration = time.monotonic() + REGISTRATION_INTERVAL_S
            register_worker(self._settings, self._database)

    def _delete_expired(self) -> None:
        with self._database.read() as session:
            if not expired(session, 1):
                return
        with self._database.write() as session:
            gone = list(expired(session, BATCH_SIZE))
            for file in gone:
                session.delete(file)
        for file in gone:
            log.info("file_expired file=%s", file.id)
            with self._database.write() as session:
                hold_digest(session, file.sha256)
                if not digest_is_used(session, file.sha256):
                    self._storage.delete(file_key(file.sha256))

    def _end_overdue_uploads(self) -> None:
        with self._database.read() as session:
            if not overdue(session, 1):
                return
        with self._database.write() as session:
            over = overdue(session, BATCH_SIZE, to_change=True)
            for upload in over:
                Uploads(session, upload.owner_id).end(upload, UploadState.EXPIRED)
        for upload in over:
            log.info("upload_expired upload=%s", upload.id)
            self._storage.delete_prefix(parts_prefix(upload.id))

    def _collect_garbage(self) -> None:
        if time.monotonic() < self._next_cleanup:
            return
        self._next_cleanup = time.monotonic() + CLEANUP_INTERVAL_S
        with self._database.write() as session:
            forgotten = forget_ended(session)
        if forgotten:
            log.info("uploads_forgotten uploads=%s", forgotten)
        with self._database.read() as session:
            named = collect_references(session)
        sweep_storage(
            named, self._storage
        )  # a look through a whole store takes longer than a transaction should
        sweep_cache(named, self._settings)

    def _release_expired_leases(self) -> None:
        with self._database.write() as session:
            lost = Runs(session).take_back_expired()
            for entry in lost:
                job, run = session.get_one(Job, entry.job_id), session.get_one(Run, entry.run_id)
                Events(session).add(
                    job, _describe_lost_run(run, entry), level="warn", run_id=run.id
                )
        for entry in lost:
            log.warning("run_taken_back run=%s state=%s", entry.run_id, entry.state)

    def _notify_queued_runs(self) -> None:
        """Ring for queued runs nobody has heard of, but never more often than there are
        messages missing in the queue.
        """
        with self._database.read() as session:
            waiting = Runs(session).waiting(self._settings.requeue_seconds, BATCH_SIZE)
        if not waiting:
            return
        try:
            missing = waiting[: max(0, len(waiting) - self._queue.depth())]
        except BrokerAway as error:
            log.warning("broker_unreachable error=%s", error)
            return
        rung = list(takewhile(lambda run_id: self._queue.ring((RUN_WAKE, run_id)), missing))
        if rung:
            with self._database.write() as session:
                Runs(session).mark_rung(rung)
            log.info("rung_again runs=%s", len(rung))

    def _notify_waiting_jobs(self) -> None:
        with self._database.read() as session:
            waiting = Jobs(session).to_advance(BATCH_SIZE)
        for job_id in waiting:
            if not self._queue.ring((JOB_ADVANCE, job_id)):
                return


def _describe_lost_run(run: Run, lost_run: LostRun) -> str:
    name = run_title(run.purpose, run.index, run.seed)
    if lost_run.state == RunState.CANCELLED:
        return f"{name} was cancelled; its worker {run.worker} had been lost."
    return f"{name} was queued again: its worker {run.worker} did not renew its lease."


def main() -> int:
    settings = Settings()
    logs.configure(settings.log_level)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    database, storage = (
        Database(settings.resolved_database_url),
        Storage(settings.resolved_storage_url),
    )
    for number in range(SENDER_THREADS):  # a receiver that does not answer holds up nothing else
        threading.Thread(
            target=WebhookSender(settings, database).run,
            args=[stop],
            name=f"webhooks-{number}",
            daemon=True,
        ).start()
    sweeper = Sweeper(settings, database, Bell(settings.redis_url), storage)
    while not stop.is_set():
        try:
            sweeper.sweep()
        except (
            SQLAlchemyError,
            StorageError,
            OSError,
        ) as error:  # a part is away for a moment; the next tick looks again
            log.warning("sweep_failed error=%s", error)
        stop.wait(settings.tick_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
