"""Stream a job's events as server-sent events, resumable after the last event a client has seen."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.jobs.event_schemas import EventObject
from shared.db.events import Events, parse_event_id
from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.db.tables import Event
from shared.domain.errors import NotAuthenticated
from shared.domain.limit_errors import OwnerStreamsLimit, TooManyStreams
from shared.domain.states import ENDED_JOB_STATES

POLL_INTERVAL_S = 0.5
KEEPALIVE_INTERVAL_S = 15.0  # shorter than the idle timeout of common proxies
MAX_EVENTS_PER_READ = 500
COMMIT_GRACE_S = 5.0  # longer than a transaction may hold an event's number before it commits


class EventStreamLimiter:
    """A limit on the open streams of a process, and on those of each owner; each stream queries
    the database twice a second.
    """

    def __init__(self, max_streams: int = 100, max_streams_per_owner: int = 100) -> None:
        self._max_streams = max_streams
        self._max_streams_per_owner = max_streams_per_owner
        self._open_counts: Counter[str] = Counter()

    def acquire_stream(self, owner_id: str) -> None:
        """Count a stream as open. Raises TooManyStreams, OwnerStreamsLimit."""
        if self._open_counts[owner_id] >= self._max_streams_per_owner:
            raise OwnerStreamsLimit(
                f"The limit of {self._max_streams_per_owner} open event streams of an owner is "
                "reached; close some, or poll the events instead."
            )
        if self._open_counts.total() >= self._max_streams:
            raise TooManyStreams(
                f"The limit of {self._max_streams} open event streams is reached; poll the events "
                "instead."
            )
        self._open_counts[owner_id] += 1

    def release_stream(self, owner_id: str) -> None:
        self._open_counts[owner_id] -= 1
        if not self._open_counts[owner_id]:
            del self._open_counts[owner_id]


class EventStream(StreamingResponse):
    """A stream that releases its place in the limit when it ends, even before the first byte."""

    def __init__(
        self, frames: AsyncIterator[str], limiter: EventStreamLimiter, owner_id: str
    ) -> None:
        super().__init__(
            frames,
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._limiter = limiter
        self._owner_id = owner_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._limiter.release_stream(self._owner_id)


class _EventBatch(NamedTuple):
    events: list[Event]
    status: str
    """State of the job, from the same snapshot."""


class EventReader:
    """A reader of the events that have not been sent yet.

    An event gets its number before its transaction commits, so a smaller number may become visible
    after a larger one. The events of the last seconds are therefore read again.
    """

    def __init__(self, database: Database, job_id: str, owner_id: str, after: int) -> None:
        self._database = database
        self._job_key = job_id, owner_id
        self._settled_seq = after
        """Up to this number, no further event can appear."""
        self._sent_times: dict[int, float] = {}
        """Number -> time of the sent events beyond ``_settled_seq``."""

    def read_new_events(self) -> _EventBatch:
        """Return the unsent events, ordered by number. Raises JobNotFound."""
        with self._database.read() as session:
            status = Jobs(session).get(*self._job_key).status
            rows = Events(session).list_after(
                self._job_key[0], self._settled_seq, MAX_EVENTS_PER_READ + len(self._sent_times)
            )
        events = [event for event in rows if event.seq not in self._sent_times]
        self._sent_times |= {event.seq: event.created_at for event in events}
        newest = max(self._sent_times.values(), default=0.0)
        settled = [
            seq for seq, sent_at in self._sent_times.items() if sent_at < newest - COMMIT_GRACE_S
        ]
        self._settled_seq = max([self._settled_seq, *settled])
        self._sent_times = {
            seq: sent_at for seq, sent_at in self._sent_times.items() if seq > self._settled_seq
        }
        return _EventBatch(events, status)


async def open_event_stream(
    database: Database,
    limiter: EventStreamLimiter,
    job_id: str,
    owner_id: str,
    last_event_id: str | None,
    require_access: Callable[[], Awaitable[None]],
) -> Response:
    """Return a stream of the events after ``last_event_id``, up to the job's end.

    It ends early with the error that ``require_access`` raises once the caller's key has ended.

    If the job has ended without a later event, the response is 204, which tells an ``EventSource``
    not to reconnect. Raises JobNotFound, TooManyStreams, OwnerStreamsLimit.
    """
    after = 0 if last_event_id is None else parse_event_id(last_event_id)
    reader = EventReader(database, job_id, owner_id, after)
    first = await run_in_threadpool(reader.read_new_events)
    if after and first.status in ENDED_JOB_STATES and not first.events:
        return Response(status_code=204)
    limiter.acquire_stream(owner_id)
    return EventStream(_iterate_frames(reader, first, require_access), limiter, owner_id)


async def _iterate_frames(
    reader: EventReader, batch: _EventBatch, require_access: Callable[[], Awaitable[None]]
) -> AsyncIterator[str]:
    last_sent = time.monotonic()
    while True:
        for event in batch.events:
            yield _format_frame(event)
        if batch.events:
            last_sent = time.monotonic()
        elif batch.status in ENDED_JOB_STATES:
            yield f"event: done\ndata: {json.dumps({'status': batch.status})}\n\n"
            return
        else:
            if time.monotonic() - last_sent > KEEPALIVE_INTERVAL_S:
                last_sent = time.monotonic()
                yield ": keep-alive\n\n"
            await asyncio.sleep(POLL_INTERVAL_S)
        try:
            await require_access()
        except NotAuthenticated as error:
            yield f"event: error\ndata: {json.dumps(error.to_body())}\n\n"
            return
        batch = await run_in_threadpool(reader.read_new_events)


def _format_frame(row: Event) -> str:
    event = EventObject.from_row(row)
    return f"id: {event.id}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
