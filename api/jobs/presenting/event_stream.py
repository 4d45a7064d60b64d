"""A job's events as they come: server-sent events, begun anew after the last one that a client
has seen.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.jobs.event_schemas import EventObject
from shared.db.events import Events, event_seq
from shared.db.jobs import Jobs
from shared.db.session import Database
from shared.db.tables import Event
from shared.domain.errors import TooManyStreams
from shared.domain.states import JOB_ENDED

POLL_INTERVAL_S = 0.5
KEEPALIVE_INTERVAL_S = 15.0  # below what proxies take for a dead connection
MAX_EVENTS_PER_READ = 500
COMMIT_GRACE_S = (
    5.0  # after so long, no transaction commits an event with a smaller number any more
)


class EventStreamLimiter:
    """How many are open in this process; each holds a connection and looks twice a second."""

    def __init__(self, max_streams: int = 100) -> None:
        self._max_streams = max_streams
        self._open_count = 0

    def acquire_stream(self) -> None:
        """Raises TooManyStreams."""
        if self._open_count >= self._max_streams:
            raise TooManyStreams(
                f"{self._max_streams} event streams are open, as many as are served; poll "
                "the events instead."
            )
        self._open_count += 1

    def release_stream(self) -> None:
        self._open_count -= 1


class EventStream(StreamingResponse):
    """Gives its place back however it ends: also when the client is gone before the first byte."""

    def __init__(self, frames: AsyncIterator[str], limiter: EventStreamLimiter) -> None:
        super().__init__(
            frames,
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._limiter.release_stream()


class _EventBatch(NamedTuple):
    events: list[Event]
    status: str
    """Of the job, in the same snapshot."""


class EventReader:
    """What of a job's events has not been sent yet.

    Numbers are given out before transactions commit, so that a smaller one may come to light
    after a larger: the events of the last seconds are looked at again.
    """

    def __init__(self, database: Database, job_id: str, owner_id: str, after: int) -> None:
        self._database = database
        self._job_key = job_id, owner_id
        self._settled_seq = after
        self._sent_times: dict[int, float] = {}
        """Number -> time, of those beyond ``count``."""

    def read_new_events(self) -> _EventBatch:
        """By number. Raises JobNotFound."""
        with self._database.read() as session:
            status = Jobs(session).get(*self._job_key).status
            rows = Events(session).after(
                self._job_key[0], self._settled_seq, MAX_EVENTS_PER_READ + len(self._sent_times)
            )
        events = [event for event in rows if event.seq not in self._sent_times]
        self._sent_times |= {event.seq: event.created_at for event in events}
        newest = max(self._sent_times.values(), default=0.0)
        old = [seq for seq, at in self._sent_times.items() if at < newest - COMMIT_GRACE_S]
        self._settled_seq = max([self._settled_seq, *old])
        self._sent_times = {
            seq: at for seq, at in self._sent_times.items() if seq > self._settled_seq
        }
        return _EventBatch(events, status)


async def open_event_stream(
    database: Database,
    limiter: EventStreamLimiter,
    job_id: str,
    owner_id: str,
    last_event_id: str | None,
) -> Response:
    """From the event after ``last_event_id`` on, to the job's end; 204, which tells a client
    not to come again, where that is past.

    Raises JobNotFound, TooManyStreams.
    """
    after = 0 if last_event_id is None else event_seq(last_event_id)
    reader = EventReader(database, job_id, owner_id, after)
    first = await run_in_threadpool(reader.read_new_events)
    if after and first.status in JOB_ENDED and not first.events:
        return Response(status_code=204)
    limiter.acquire_stream()
    return EventStream(_iterate_frames(reader, first), limiter)


async def _iterate_frames(reader: EventReader, batch: _EventBatch) -> AsyncIterator[str]:
    said = time.monotonic()
    while True:
        for event in batch.events:
            yield _format_frame(event)
        if batch.events:
            said = time.monotonic()
        elif batch.status in JOB_ENDED:
            yield f"event: done\ndata: {json.dumps({'status': batch.status})}\n\n"
            return
        else:
            if time.monotonic() - said > KEEPALIVE_INTERVAL_S:
                said = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(POLL_INTERVAL_S)
        batch = await run_in_threadpool(reader.read_new_events)


def _format_frame(event: Event) -> str:
    told = EventObject.from_row(event)
    return f"id: {told.id}\nevent: {told.type}\ndata: {told.model_dump_json()}\n\n"
