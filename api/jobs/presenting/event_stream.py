"""A job's events as they come: server-sent events, begun anew after the last one that a client has seen."""

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

LOOK_S = 0.5
HEARTBEAT_S = 15.0  # below what proxies take for a dead connection
AT_ONCE = 500
SETTLED_S = 5.0  # after so long, no transaction commits an event with a smaller number any more


class EventStreams:
    """How many are open in this process; each holds a connection and looks twice a second."""

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._open = 0

    def take(self) -> None:
        """Raises TooManyStreams."""
        if self._open >= self._most:
            raise TooManyStreams(
                f"{self._most} event streams are open, as many as are served; poll the events instead."
            )
        self._open += 1

    def give_back(self) -> None:
        self._open -= 1


class EventStream(StreamingResponse):
    """Gives its place back however it ends: also when the client is gone before the first byte."""

    def __init__(self, frames: AsyncIterator[str], streams: EventStreams) -> None:
        super().__init__(
            frames,
            media_type="text/event-stream",
            headers={"cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.give_back()


class _News(NamedTuple):
    events: list[Event]
    status: str
    """Of the job, in the same snapshot."""


class Unsent:
    """What of a job's events has not been sent yet.

    Numbers are given out before transactions commit, so that a smaller one may come to light after a larger: the events of the last
    seconds are looked at again.
    """

    def __init__(self, database: Database, job_id: str, owner_id: str, after: int) -> None:
        self._database = database
        self._job = job_id, owner_id
        self._settled = after
        self._sent: dict[int, float] = {}
        """Number -> time, of those beyond ``_settled``."""

    def news(self) -> _News:
        """By number. Raises JobNotFound."""
        with self._database.read() as session:
            status = Jobs(session).get(*self._job).status
            rows = Events(session).after(self._job[0], self._settled, AT_ONCE + len(self._sent))
        events = [event for event in rows if event.seq not in self._sent]
        self._sent |= {event.seq: event.created_at for event in events}
        newest = max(self._sent.values(), default=0.0)
        old = [seq for seq, at in self._sent.items() if at < newest - SETTLED_S]
        self._settled = max([self._settled, *old])
        self._sent = {seq: at for seq, at in self._sent.items() if seq > self._settled}
        return _News(events, status)


async def event_stream(
    database: Database, streams: EventStreams, job_id: str, owner_id: str, last_event_id: str | None
) -> Response:
    """From the event after ``last_event_id`` on, to the job's end; 204, which tells a client not to come again, where that is past.

    Raises JobNotFound, TooManyStreams.
    """
    after = 0 if last_event_id is None else event_seq(last_event_id)
    reader = Unsent(database, job_id, owner_id, after)
    first = await run_in_threadpool(reader.news)
    if after and first.status in JOB_ENDED and not first.events:
        return Response(status_code=204)
    streams.take()
    return EventStream(_frames(reader, first), streams)


async def _frames(reader: Unsent, news: _News) -> AsyncIterator[str]:
    said = time.monotonic()
    while True:
        for event in news.events:
            yield _frame(event)
        if news.events:
            said = time.monotonic()
        elif news.status in JOB_ENDED:
            yield f"event: done\ndata: {json.dumps({'status': news.status})}\n\n"
            return
        else:
            if time.monotonic() - said > HEARTBEAT_S:
                said = time.monotonic()
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_S)
        news = await run_in_threadpool(reader.news)


def _frame(event: Event) -> str:
    told = EventObject.of(event)
    return f"id: {told.id}\nevent: {told.type}\ndata: {told.model_dump_json()}\n\n"
