"""Downloads of the hub models that jobs wait for, on threads of the sweeper's process.

A slot is thus free to train while another job's model comes. A job whose hub does not answer waits
as ``validating_files`` and is tried again with growing delays; then it fails.
"""

import logging
import threading
import time
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from shared.db.model_fetches import ClaimedFetch, ModelFetches
from shared.db.runs import FenceLost
from shared.db.session import Database
from shared.domain.errors import HubNotReachable, ModelNotAllowed, Reason, ServiceError
from shared.domain.wording import format_count
from shared.encoders.hub.download import fetch_model
from shared.encoders.hub.progress import DownloadProgress
from shared.encoders.hub.retries import plan_retry
from shared.infra.settings import Settings

log = logging.getLogger(__name__)
POLL_INTERVAL_S = 1.0


class ShuttingDown(Exception):
    """The process ends; another one continues the download."""


class ModelFetcher:
    """Fetcher of due models; any number may run at a time, on any number of machines."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def run(self, stop: threading.Event) -> None:
        """Fetch the models of waiting jobs until ``stop`` is set."""
        interval = min(POLL_INTERVAL_S, self._settings.tick_seconds)
        while not stop.is_set():
            try:
                while not stop.is_set() and self.fetch_next(stop):
                    pass
            except SQLAlchemyError as error:  # the next round tries again
                log.warning("model_fetcher_failed error=%s", error)
            stop.wait(interval)

    def fetch_next(self, stop: threading.Event) -> bool:
        """Fetch the model of the oldest due job; False if none is due. Raises SQLAlchemyError."""
        fetch = self._claim_fetch()
        if fetch is None:
            return False
        attempt = _Attempt(self._settings, self._database, fetch, stop)
        try:
            attempt.run()
        except FenceLost:
            log.info("model_fetch_lost job=%s", fetch.job_id)
        except ShuttingDown:
            with suppress(FenceLost), self._database.write() as session:
                ModelFetches(session).jobs.release(fetch.lease)
        return True

    def _claim_fetch(self) -> ClaimedFetch | None:
        with self._database.read() as session:
            if not ModelFetches(session).jobs.has_due():
                return None
        with self._database.write() as session:
            return ModelFetches(session).claim_next(self._settings.lease_seconds)


class _Attempt:
    """One attempt to download the model of a claimed job."""

    def __init__(
        self, settings: Settings, database: Database, fetch: ClaimedFetch, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._database = database
        self._fetch = fetch
        self._stop = stop
        self._progress = DownloadProgress(fetch.model)
        self._next_renewal = 0.0

    def run(self) -> None:
        """Download, and record what came of it. Raises FenceLost, ShuttingDown."""
        try:
            fetch_model(self._settings, self._fetch.model, self._report)
        except HubNotReachable as error:
            self._postpone_or_fail(error)
        except ServiceError as error:
            if isinstance(error, ModelNotAllowed) and error.has_no_room:
                self._postpone_or_fail(HubNotReachable(error.message, param="model"))
            else:
                self._fail(error.to_reason())
        except OSError as error:
            log.warning("model_fetch_failed job=%s error=%s", self._fetch.job_id, error)
            reason = error.strerror or type(error).__name__
            self._postpone_or_fail(
                HubNotReachable(f"The model cannot be stored ({reason}).", param="model")
            )
        except (FenceLost, ShuttingDown, SQLAlchemyError):
            raise
        except Exception:  # a fetcher that ends would fetch no other job's model either
            log.exception("model_fetch_failed job=%s", self._fetch.job_id)
            message = "The model could not be prepared. See the worker's log."
            self._fail(Reason(code="internal_error", message=message, param="model"))
        else:
            self._complete()

    def _report(self, received: int) -> None:
        """Renew the lease, and add an event where there is something to say."""
        if self._stop.is_set():
            raise ShuttingDown
        sentence = self._progress.describe(received)
        now = time.monotonic()
        if sentence is None and now < self._next_renewal:
            return
        # a cancelled or paused job is noticed here, so it is looked at more often than the lease
        self._next_renewal = now + min(1.0, self._settings.heartbeat_seconds)
        with self._database.write() as session:
            jobs = ModelFetches(session).jobs
            jobs.renew_lease(self._fetch.lease, self._settings.lease_seconds)
            if sentence is not None:
                jobs.add_event(self._fetch.lease, sentence)

    def _complete(self) -> None:
        with self._database.write() as session:
            fetches = ModelFetches(session)
            fetches.complete(self._fetch)
            if self._progress.has_begun:
                fetches.jobs.add_event(self._fetch.lease, self._progress.describe_end())
        log.info("model_fetched job=%s model=%s", self._fetch.job_id, self._fetch.model.title)

    def _postpone_or_fail(self, error: HubNotReachable) -> None:
        attempt = self._fetch.lease.attempt
        delay = plan_retry(attempt, error, self._settings.hub_retry_seconds)
        if delay is None:
            message = (
                f"{error.message} The model could not be downloaded in "
                f"{format_count(attempt, 'attempt')}; "
                "create the job again once the hub can be reached."
            )
            self._fail(Reason(code=error.code, message=message, param=error.param))
            return
        with self._database.write() as session:
            jobs = ModelFetches(session).jobs
            jobs.postpone(self._fetch.lease, delay)
            sentence = f"{error.message} Next attempt in {delay:.0f} seconds."
            jobs.add_event(self._fetch.lease, sentence, level="warn")
        log.warning("model_fetch_postponed job=%s delay=%.0f", self._fetch.job_id, delay)

    def _fail(self, reason: Reason) -> None:
        with self._database.write() as session:
            ModelFetches(session).fail(self._fetch, reason)
        log.warning("model_fetch_failed job=%s code=%s", self._fetch.job_id, reason.code)
