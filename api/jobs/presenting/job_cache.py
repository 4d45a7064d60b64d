"""A job as it is polled: its object's bytes and their ETag, made anew only when its rows have changed.

A poll costs a fingerprint of the rows; the report, the counts and the JSON are made once a change. The ETag is of the bytes themselves,
so it changes when, and only when, a byte does: whichever process answers, and after an upgrade too.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.jobs.presenting.presenter import as_viewed, time_of_views
from api.jobs.schemas import JobObject
from api.single_flight import SharedReads
from shared.db.counts import queued_before
from shared.db.fingerprint import fingerprint
from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.domain.states import JOB_OPEN, JobState

KEPT = 128  # jobs; about 10 kB each


class Polled(NamedTuple):
    body: bytes
    etag: str

    def is_known_as(self, if_none_match: str | None) -> bool:
        """Whether the tags of that header (RFC 9110, 13.1.2) name these bytes; compared weakly, as a proxy may have weakened ours."""
        tags = (
            []
            if if_none_match is None
            else [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        )
        return self.etag in tags or tags == ["*"]


class _State(NamedTuple):
    """All that the answer is made of."""

    fingerprint: str
    queue_position: int | None
    time: int | None
    """Of an open job, whose remaining seconds are told."""


class JobPolls:
    """Made once a process. ``get`` belongs to its event loop."""

    def __init__(self) -> None:
        self._reads = SharedReads[Polled]()
        self._kept: OrderedDict[str, tuple[_State, Polled]] = OrderedDict()
        self._lock = threading.Lock()  # reads of different jobs come from different threads

    async def get(self, database: Database, job_id: str, owner_id: str) -> Polled:
        """Raises JobNotFound."""
        return await self._reads.get(
            f"{owner_id}/{job_id}", lambda: self._read(database, job_id, owner_id)
        )

    def _read(self, database: Database, job_id: str, owner_id: str) -> Polled:
        with database.read() as session:
            state = _state(session, job_id, owner_id)
            with self._lock:
                known, answer = self._kept.get(job_id, (None, None))
            if answer is None or state != known:
                view = as_viewed(
                    session, Jobs(session).get(job_id, owner_id), state.time or time_of_views()
                )
                answer = _polled(view)
        with self._lock:
            self._kept[job_id] = state, answer
            self._kept.move_to_end(job_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return answer


def _state(session: Session, job_id: str, owner_id: str) -> _State:
    seen = fingerprint(session, job_id, owner_id)
    return _State(
        seen.digest,
        queued_before(session, job_id) if seen.status == JobState.QUEUED else None,
        time_of_views() if seen.status in JOB_OPEN else None,
    )


def _polled(view: JobObject) -> Polled:
    body = view.model_dump_json().encode()
    return Polled(body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"')
