"""Event streams over HTTP: every event, in order, from the last received one to the end."""

import asyncio
import json
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.testclient import TestClient

from api.jobs.presenting import event_stream
from shared.db.events import Events, format_event_id
from shared.db.session import Database
from shared.db.tables import Event, Job
from shared.domain.limit_errors import TooManyStreams
from tests.make import review_csv
from tests.servers import wait_until
from tests.stack import EVENT_STREAMS, Stack

JOBS = "/v1/fine_tuning/jobs"


class Frame(NamedTuple):
    id: str | None
    event: str
    data: Any


def parse_frames(text: str) -> list[Frame]:
    parsed = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")
        )
        if fields:
            parsed.append(Frame(fields.get("id"), fields["event"], json.loads(fields["data"])))
    return parsed


@pytest.fixture
def job_id(http: TestClient, file_id: str) -> str:
    return str(http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert"}).json()["id"])


def test_an_ended_job_is_streamed_from_the_start_or_after_an_event(
    http: TestClient, job_id: str
) -> None:
    http.post(f"{JOBS}/{job_id}/cancel")
    answer = http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *streamed, done = parse_frames(answer.text)
    listed = http.get(f"{JOBS}/{job_id}/events").json()["data"]
    assert [frame.data for frame in streamed] == listed[::-1]
    assert [(frame.id, frame.event) for frame in streamed] == [
        (event["id"], event["type"]) for event in listed[::-1]
    ]
    assert (done.event, done.data) == ("done", {"status": "cancelled"})

    middle = {"last-event-id": str(streamed[0].id)}
    later = http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"}, headers=middle)
    assert parse_frames(later.text) == [*streamed[1:], done]
    end = {"last-event-id": str(streamed[-1].id)}
    assert (
        http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"}, headers=end).status_code
        == 204
    )


def test_an_invalid_stream_request_is_refused(http: TestClient, job_id: str) -> None:
    path, query = f"{JOBS}/{job_id}/events", {"stream": "true"}
    assert (
        http.get(f"{JOBS}/ftjob-none/events", params=query).json()["error"]["code"]
        == "job_not_found"
    )
    refused = http.get(path, params=query, headers={"last-event-id": "7"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "last-event-id")
    refused = http.get(path, params={**query, "after": format_event_id(1)})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "after")


def test_new_events_are_sent_at_once_and_idle_streams_are_kept_alive(
    database: Database, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(event_stream, "KEEPALIVE_INTERVAL_S", 0.05)

    def add(message: str) -> None:
        with database.write() as session:
            Events(session).add(session.get_one(Job, job_id), message)

    async def require_nothing() -> None: ...

    async def read_stream() -> None:
        limiter = event_stream.EventStreamLimiter(1)
        arguments = database, limiter, job_id, "local", None, require_nothing
        response = await event_stream.open_event_stream(*arguments)
        assert isinstance(response, event_stream.EventStream)
        body = aiter(response.body_iterator)
        assert "Created" in str(await anext(body))
        while not (keepalive := str(await anext(body))).startswith(":"):
            pass
        add("Something new.")
        while (frame := str(await anext(body))) == keepalive:
            pass
        assert parse_frames(frame)[0].data["message"] == "Something new."
        with pytest.raises(TooManyStreams):
            await event_stream.open_event_stream(*arguments)

    asyncio.run(read_stream())


def test_an_event_committed_late_is_not_skipped(database: Database, job_id: str) -> None:
    reader = event_stream.EventReader(database, job_id, "local", 0)
    last = reader.read_new_events().events[-1].seq
    values = {"job_id": job_id, "owner_id": "local", "level": "info", "type": "message"}
    with database.write() as session:
        session.add(Event(seq=last + 1000, message="committed first", **values))
    assert [event.message for event in reader.read_new_events().events] == ["committed first"]
    with database.write() as session:
        session.add(Event(seq=last + 900, message="begun earlier", **values))
    assert [event.message for event in reader.read_new_events().events] == ["begun earlier"]
    assert reader.read_new_events().events == []


def test_a_disconnected_client_releases_its_stream(shared_stack: Stack) -> None:
    job = shared_stack.create(
        shared_stack.upload(review_csv(40))["id"],
        model="tiny-bert",
        recipe={"max_steps": 100_000, "reinit_layers": 1, "learning_rate": 6.4e-4},
    )
    path = f"http://127.0.0.1:{shared_stack.port}{JOBS}/{job['id']}/events"

    def is_served() -> bool:
        with httpx.stream("GET", path, params={"stream": "true"}, timeout=30) as answer:
            return answer.status_code == 200 and "Created" in next(answer.iter_text())

    for _ in range(2 * EVENT_STREAMS):
        wait_until(is_served, 5.0, "a place among the streams")
    with httpx.stream("GET", path, params={"stream": "true"}, timeout=30) as answer:
        text = ""
        for part in answer.iter_text():
            if not text:
                shared_stack.http.post(f"{JOBS}/{job['id']}/cancel")
            text += part
    assert parse_frames(text)[-1].event == "done"
