"""A job as it is polled: its object's bytes and their ETag, made anew only when its rows have
changed.

A poll costs a fingerprint of the rows; the report, the counts and the JSON are made once a
change. The ETag is of the bytes themselves, so it changes when, and only when, a byte does:
whichever process answers, and after an upgrade too.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.jobs.presenting.presenter import get_presentation_time, present_job
from api.jobs.schemas import JobObject
from api.single_flight import SingleFlight
from shared.db.counts import queued_before
from shared.db.fingerprint import fingerprint
from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.domain.states import JOB_OPEN, JobState

MAX_CACHED_JOBS = 128  # jobs; about 10 kB each


class CachedJob(NamedTuple):
    body: bytes
    etag: str

    def is_not_modified(self, if_none_match: str | None) -> bool:
        """Whether the tags of that header (RFC 9110, 13.1.2) name these bytes; compared weakly,
        as a proxy may have weakened ours.
        """
        tags = (
            []
            if if_none_match is None
            else [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        )
        return self.etag in tags or tags == ["*"]


class _CacheKey(NamedTuple):
    """All that the answer is made of."""

    fingerprint: str
    queue_position: int | None
    presented_at: int | None
    """Of an open job, whose remaining seconds are told."""


class JobCache:
    """Made once a process. ``get`` belongs to its event loop."""

    def __init__(self) -> None:
        self._single_flight = SingleFlight[CachedJob]()
        self._entries: OrderedDict[str, tuple[_CacheKey, CachedJob]] = OrderedDict()
        self._lock = threading.Lock()  # reads of different jobs come from different threads

    async def get_job(self, database: Database, job_id: str, owner_id: str) -> CachedJob:
        """Raises JobNotFound."""
        return await self._single_flight.get(
            f"{owner_id}/{job_id}", lambda: self._read_job(database, job_id, owner_id)
        )

    def _read_job(self, database: Database, job_id: str, owner_id: str) -> CachedJob:
        with database.read() as session:
            state = _build_cache_key(session, job_id, owner_id)
            with self._lock:
                known, answer = self._entries.get(job_id, (None, None))
            if answer is None or state != known:
                view = present_job(
                    session,
                    Jobs(session).get(job_id, owner_id),
                    state.presented_at or get_presentation_time(),
                )
                answer = _serialize_job(view)
        with self._lock:
            self._entries[job_id] = state, answer
            self._entries.move_to_end(job_id)
            while len(self._entries) > MAX_CACHED_JOBS:
                self._entries.popitem(last=False)
        return answer


def _build_cache_key(session: Session, job_id: str, owner_id: str) -> _CacheKey:
    seen = fingerprint(session, job_id, owner_id)
    return _CacheKey(
        seen.digest,
        queued_before(session, job_id) if seen.status == JobState.QUEUED else None,
        get_presentation_time() if seen.status in JOB_OPEN else None,
    )


def _serialize_job(job: JobObject) -> CachedJob:
    body = job.model_dump_json().encode()
    return CachedJob(body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"')
