"""Events as they come, over HTTP: all of them, in order, from wherever a client left off, to
the job's end.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.testclient import TestClient

from api.jobs.presenting import event_stream
from shared.db.events import Events, event_id
from shared.db.session import Database
from shared.db.tables import Event, Job
from shared.domain.errors import TooManyStreams
from shared.infra.settings import Settings
from tests.make import review_csv
from tests.servers import wait_until
from tests.stack import EVENT_STREAMS, Stack

JOBS = "/v1/fine_tuning/jobs"


class Frame(NamedTuple):
    id: str | None
    event: str
    data: Any


def frames(text: str) -> list[Frame]:
    found = []
    for block in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")
        )
        if fields:
            found.append(Frame(fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    database = Database(settings.resolved_database_url)
    yield database
    database.dispose()


@pytest.fixture
def job_id(http: TestClient, file_id: str) -> str:
    return str(http.post(JOBS, json={"training_file": file_id, "model": "tiny-bert"}).json()["id"])


def test_an_ended_job_s_story_from_the_start_and_from_the_middle(
    http: TestClient, job_id: str
) -> None:
    http.post(f"{JOBS}/{job_id}/cancel")
    answer = http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, done = frames(answer.text)
    listed = http.get(f"{JOBS}/{job_id}/events").json()["data"]
    assert [frame.data for frame in told] == listed[::-1]
    assert [(frame.id, frame.event) for frame in told] == [
        (event["id"], event["type"]) for event in listed[::-1]
    ]
    assert (done.event, done.data) == ("done", {"status": "cancelled"})

    middle = {"last-event-id": str(told[0].id)}
    later = http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"}, headers=middle)
    assert frames(later.text) == [*told[1:], done]
    end = {"last-event-id": str(told[-1].id)}
    assert (
        http.get(f"{JOBS}/{job_id}/events", params={"stream": "true"}, headers=end).status_code
        == 204
    )


def test_what_no_stream_begins_with(http: TestClient, job_id: str) -> None:
    path, query = f"{JOBS}/{job_id}/events", {"stream": "true"}
    assert (
        http.get(f"{JOBS}/ftjob-none/events", params=query).json()["error"]["code"]
        == "job_not_found"
    )
    wrong = http.get(path, params=query, headers={"last-event-id": "7"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "last-event-id")
    wrong = http.get(path, params={**query, "after": event_id(1)})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "after")


def test_events_are_sent_as_they_come_and_a_silent_job_is_said_to_be_alive(
    database: Database, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(event_stream, "KEEPALIVE_INTERVAL_S", 0.05)

    def add(message: str) -> None:
        with database.write() as session:
            Events(session).add(session.get_one(Job, job_id), message)

    async def story() -> None:
        streams = event_stream.EventStreamLimiter(1)
        response = await event_stream.open_event_stream(database, streams, job_id, "local", None)
        assert isinstance(response, event_stream.EventStream)
        body = aiter(response.body_iterator)
        assert "Created" in str(await anext(body))
        while not (beat := str(await anext(body))).startswith(":"):
            pass
        add("Something new.")
        while (told := str(await anext(body))) == beat:
            pass
        assert frames(told)[0].data["message"] == "Something new."
        with pytest.raises(TooManyStreams):
            await event_stream.open_event_stream(database, streams, job_id, "local", None)

    asyncio.run(story())


def test_a_number_that_comes_to_light_late_is_not_passed_over(
    database: Database, job_id: str
) -> None:
    reader = event_stream.EventReader(database, job_id, "local", 0)
    last = reader.read_new_events().events[-1].seq
    plain = {"job_id": job_id, "owner_id": "local", "level": "info", "type": "message"}
    with database.write() as session:
        session.add(Event(seq=last + 1000, message="committed first", **plain))
    assert [event.message for event in reader.read_new_events().events] == ["committed first"]
    with database.write() as session:
        session.add(Event(seq=last + 900, message="begun earlier", **plain))
    assert [event.message for event in reader.read_new_events().events] == ["begun earlier"]
    assert reader.read_new_events().events == []


def test_a_client_that_leaves_gives_its_place_back(shared_stack: Stack) -> None:
    job = shared_stack.create(
        shared_stack.upload(review_csv(40))["id"],
        model="tiny-bert",
        recipe={"max_steps": 100_000, "reinit_layers": 1},
    )
    path = f"http://127.0.0.1:{shared_stack.port}{JOBS}/{job['id']}/events"

    def served() -> bool:
        with httpx.stream("GET", path, params={"stream": "true"}, timeout=30) as answer:
            return answer.status_code == 200 and "Created" in next(answer.iter_text())

    for _ in range(2 * EVENT_STREAMS):
        wait_until(served, 5.0, "a place among the streams")
    with httpx.stream("GET", path, params={"stream": "true"}, timeout=30) as answer:
        text = ""
        for part in answer.iter_text():
            if not text:
                shared_stack.http.post(f"{JOBS}/{job['id']}/cancel")
            text += part
    assert frames(text)[-1].event == "done"
