"""Cache the response of a polled job: its bytes and their ETag, rebuilt when its rows change.

A poll costs a fingerprint of the rows; report, counts and JSON are built once per change. The ETag
is a digest of the bytes, so it changes if and only if a byte does, whichever process responds and
also across upgrades.
"""

import threading
from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.etag import compute_etag
from api.jobs.presenting.presenter import get_presentation_time, present_job
from api.jobs.schemas import JobObject
from api.single_flight import SingleFlight
from shared.db.fingerprint import compute_fingerprint
from shared.db.jobs import Jobs
from shared.db.queue_turns import count_runs_ahead
from shared.db.session import Database
from shared.domain.states import OPEN_JOB_STATES, JobState

MAX_CACHED_JOBS = 128  # about 10 kB each


class CachedJob(NamedTuple):
    """The body of a response and its ETag."""

    body: bytes
    etag: str


class _CacheKey(NamedTuple):
    """Everything that the response depends on."""

    fingerprint: str
    queue_position: int | None
    presented_at: int | None
    """Unix seconds for an open job, whose remaining time depends on the clock; else None."""


class JobCache:
    """The responses of recently polled jobs, one cache per process and event loop."""

    def __init__(self) -> None:
        self._single_flight = SingleFlight[CachedJob]()
        self._entries: OrderedDict[str, tuple[_CacheKey, CachedJob]] = OrderedDict()
        self._positions: OrderedDict[str, tuple[int, int]] = OrderedDict()
        """Second and queue position of the jobs polled last: it is counted once a second."""
        self._lock = threading.Lock()  # different jobs are read in different threads

    async def get_job(self, database: Database, job_id: str, owner_id: str) -> CachedJob:
        """Return the current response of the job. Raises JobNotFound."""
        return await self._single_flight.get(
            f"{owner_id}/{job_id}", lambda: self._read_job(database, job_id, owner_id)
        )

    def _read_job(self, database: Database, job_id: str, owner_id: str) -> CachedJob:
        with database.read() as session:
            key = self._build_key(session, job_id, owner_id)
            with self._lock:
                cached_key, response = self._entries.get(job_id, (None, None))
            if response is None or key != cached_key:
                job = present_job(
                    session,
                    Jobs(session).get(job_id, owner_id),
                    key.presented_at or get_presentation_time(),
                    key.queue_position,
                )
                response = _serialize_job(job)
        with self._lock:
            self._entries[job_id] = key, response
            self._entries.move_to_end(job_id)
            while len(self._entries) > MAX_CACHED_JOBS:
                self._entries.popitem(last=False)
        return response

    def _build_key(self, session: Session, job_id: str, owner_id: str) -> _CacheKey:
        current, now = compute_fingerprint(session, job_id, owner_id), get_presentation_time()
        return _CacheKey(
            current.digest,
            self._get_queue_position(session, job_id, owner_id, now)
            if current.job_status == JobState.QUEUED
            else None,
            now if current.job_status in OPEN_JOB_STATES else None,
        )

    def _get_queue_position(self, session: Session, job_id: str, owner_id: str, second: int) -> int:
        with self._lock:
            counted_in, position = self._positions.get(job_id, (0, 0))
        if counted_in == second:
            return position
        position = count_runs_ahead(session, owner_id, job_id)
        with self._lock:
            self._positions[job_id] = second, position
            self._positions.move_to_end(job_id)
            while len(self._positions) > MAX_CACHED_JOBS:
                self._positions.popitem(last=False)
        return position


def _serialize_job(job: JobObject) -> CachedJob:
    body = job.model_dump_json().encode()
    return CachedJob(body, compute_etag(body))
