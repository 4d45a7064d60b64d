"""``python -m worker.maintenance.sweeper``: requeues lost runs, repeats notifications, cleans up.

When a worker dies, nobody renews the leases of its runs. After ``EVENKEEL_LEASE_SECONDS`` the
sweeper takes them back (``shared.db.recovery``) and the runs are queued again. A worker survives
the death of its trainer process and decides itself what follows (``worker.runs.transitions``).

The sweeper also sends webhooks and downloads models of the hub. Any number of sweepers may run on
any machine and may be killed at any moment: every change is a guarded update.
"""

import logging
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from shared.db.events import Events
from shared.db.file_content import list_unused_blobs
from shared.db.files import list_expired_files
from shared.db.job_advances import JobAdvances
from shared.db.jobs import JOB_ADVANCE, RUN_WAKE
from shared.db.recovery import LostRun, RunRecovery
from shared.db.references import build_blob_check, collect_references
from shared.db.session import Database
from shared.db.tables import Job, Run
from shared.db.uploads import Uploads, delete_ended_uploads, list_overdue_uploads
from shared.db.webhook_secrets import reseal_webhooks
from shared.domain.naming import format_run_title
from shared.domain.states import RunState, UploadState
from shared.infra import log as logs
from shared.infra.broker import BrokerUnreachable, JobQueue
from shared.infra.child_process import announce_start
from shared.infra.private_files import keep_files_private
from shared.infra.secret_box import SecretBox
from shared.infra.settings import Settings, read_settings_or_exit
from shared.infra.shutdown import ExitDeadline
from shared.infra.storage import Storage
from shared.infra.storage_keys import build_parts_prefix
from shared.infra.variable_names import warn_misspelled_variables
from shared.timings import REGISTRATION_INTERVAL_S
from worker.maintenance.garbage import sweep_cache, sweep_storage
from worker.maintenance.model_fetcher import ModelFetcher
from worker.maintenance.registration import register_worker
from worker.maintenance.webhook_sender import WebhookSender

log = logging.getLogger(__name__)
CLEANUP_INTERVAL_S = 3600.0
SENDER_THREADS = 8  # so many slow receivers delay nobody else's notices
FETCHER_THREADS = 2
STOP_TIMEOUT_S = 1.5
BATCH_SIZE = 100  # notifications per tick; a longer queue already has enough messages


class Sweeper:
    """Periodic maintenance; ``sweep`` is called once per tick."""

    def __init__(
        self, settings: Settings, database: Database, queue: JobQueue, storage: Storage
    ) -> None:
        self._settings = settings
        self._database = database
        self._queue = queue
        self._storage = storage
        self._next_cleanup = time.monotonic() + CLEANUP_INTERVAL_S
        self._next_registration = time.monotonic()

    def sweep(self) -> None:
        """Do one round. Raises SQLAlchemyError, storage errors or OSError."""
        self._register_worker()
        self._release_expired_leases()
        self._notify_queued_runs()
        self._notify_waiting_jobs()
        self._delete_expired()
        self._end_overdue_uploads()
        self._collect_garbage()

    def reseal_webhooks(self) -> None:
        """Encrypt the webhooks of rows that are older than the encryption or the first key."""
        try:
            with self._database.write() as session:
                resealed = reseal_webhooks(session, SecretBox(self._settings))
        except (SQLAlchemyError, OSError) as error:  # the next start tries again
            log.warning("webhooks_not_resealed error=%s", error)
            return
        if resealed:
            log.info("webhooks_resealed jobs=%s", resealed)

    def _register_worker(self) -> None:
        if time.monotonic() >= self._next_registration:
            self._next_registration = time.monotonic() + REGISTRATION_INTERVAL_S
            register_worker(self._settings, self._database)

    def _delete_expired(self) -> None:
        with self._database.read() as session:
            if not list_expired_files(session, 1):
                return
        with self._database.write() as session:
            files = list(list_expired_files(session, BATCH_SIZE))
            for file in files:
                session.delete(file)
        for file in files:
            log.info("file_expired file=%s", file.id)
            with self._database.write() as session:
                for prefix in list_unused_blobs(session, file):
                    self._storage.delete_prefix(prefix)

    def _end_overdue_uploads(self) -> None:
        with self._database.read() as session:
            if not list_overdue_uploads(session, 1):
                return
        with self._database.write() as session:
            uploads = list_overdue_uploads(session, BATCH_SIZE, for_update=True)
            for upload in uploads:
                Uploads(session, upload.owner_id).finish_upload(upload, UploadState.EXPIRED)
        for upload in uploads:
            log.info("upload_expired upload=%s", upload.id)
            self._storage.delete_prefix(build_parts_prefix(upload.id))

    def _collect_garbage(self) -> None:
        if time.monotonic() < self._next_cleanup:
            return
        self._next_cleanup = time.monotonic() + CLEANUP_INTERVAL_S
        with self._database.write() as session:
            deleted = delete_ended_uploads(session)
        if deleted:
            log.info("uploads_deleted uploads=%s", deleted)
        with self._database.read() as session:
            references = collect_references(session)
        # outside the transaction, because listing a whole storage takes long
        sweep_storage(references, self._storage, self._database)
        sweep_cache(references, self._settings)

    def _release_expired_leases(self) -> None:
        with self._database.write() as session:
            lost_runs = RunRecovery(session).release_expired_leases()
            for lost_run in lost_runs:
                job = session.get_one(Job, lost_run.job_id)
                run = session.get_one(Run, lost_run.run_id)
                message = _describe_lost_run(run, lost_run)
                Events(session).add(job, message, level="warn", run_id=run.id)
        for lost_run in lost_runs:
            log.warning("run_lease_expired run=%s state=%s", lost_run.run_id, lost_run.state)

    def _notify_queued_runs(self) -> None:
        """Send messages for queued runs that have none, up to the number missing in the queue."""
        with self._database.read() as session:
            recovery = RunRecovery(session)
            waiting = recovery.list_ids_to_notify(self._settings.requeue_seconds, BATCH_SIZE)
        if not waiting:
            return
        try:
            missing = waiting[: max(0, len(waiting) - self._queue.count_messages())]
        except BrokerUnreachable as error:
            log.warning("broker_unreachable error=%s", error)
            return
        notified = list(takewhile(lambda run_id: self._queue.notify((RUN_WAKE, run_id)), missing))
        if notified:
            with self._database.write() as session:
                RunRecovery(session).mark_notified(notified)
            log.info("runs_notified runs=%s", len(notified))

    def _notify_waiting_jobs(self) -> None:
        with self._database.read() as session:
            waiting = JobAdvances(session).list_ready_to_advance(BATCH_SIZE)
        for job_id in waiting:
            if not self._queue.notify((JOB_ADVANCE, job_id)):
                return


def _describe_lost_run(run: Run, lost_run: LostRun) -> str:
    title = format_run_title(run.purpose, run.index, run.seed)
    if lost_run.state == RunState.CANCELLED:
        return f"{title} was cancelled; its worker {run.worker} did not renew its lease."
    return f"{title} was queued again: its worker {run.worker} did not renew its lease."


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; the process ends in time in any case."""
    stop, deadline = threading.Event(), ExitDeadline()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        deadline.start()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def _start_helpers(
    settings: Settings, database: Database, stop: threading.Event
) -> list[threading.Thread]:
    """Start threads for webhooks and downloads, so that a slow receiver or hub delays nothing
    else.
    """
    targets = {
        "webhooks": (WebhookSender(settings, database).run, SENDER_THREADS),
        "models": (ModelFetcher(settings, database).run, FETCHER_THREADS),
    }
    helpers = [
        threading.Thread(target=target, args=[stop], name=f"{name}-{number}", daemon=True)
        for name, (target, count) in targets.items()
        for number in range(count)
    ]
    for helper in helpers:
        helper.start()
    return helpers


def _sweep_until_stopped(settings: Settings, database: Database, stop: threading.Event) -> None:
    """Sweep once per tick. Sets ``stop`` when it returns or fails."""
    try:
        storage = Storage(settings.resolved_storage_url, build_blob_check(database))
        sweeper = Sweeper(settings, database, JobQueue(settings.redis_url), storage)
        sweeper.reseal_webhooks()
        while not stop.is_set():
            try:
                sweeper.sweep()
                announce_start()
            except (SQLAlchemyError, OSError) as error:  # the next tick tries again
                log.warning("sweep_failed error=%s", error)
            stop.wait(settings.tick_seconds)
    finally:
        stop.set()


def main() -> int:
    keep_files_private()
    settings = read_settings_or_exit()
    logs.configure_logging(settings.log_level)
    warn_misspelled_variables(os.environ)
    stop = _stop_on_signals()
    database = Database(settings.resolved_database_url)
    helpers = _start_helpers(settings, database, stop)
    # apart from this thread, which alone runs the signals' handlers: one that waits for a lock of
    # SQLite runs none
    with ThreadPoolExecutor(1, "sweeper") as pool:
        swept = pool.submit(_sweep_until_stopped, settings, database, stop)
        stop.wait()
        until = time.monotonic() + STOP_TIMEOUT_S
        for helper in helpers:  # to leave what they have claimed to others
            helper.join(max(0.0, until - time.monotonic()))
        swept.result()  # an unexpected error ends the process, which is started again
    return 0


if __name__ == "__main__":
    sys.exit(main())
