"""Event streams end with the key that opened them, on a real server."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from api.access.key_directory import RELOAD_INTERVAL_S
from benchmarks.hostile.target import TIMEOUT_S, RunningApi, running_api
from cli.client import Client
from cli.errors import CliError
from cli.events import show_events
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.db.tables import ApiKey, Job
from tests.make import review_csv
from tests.security.conftest import authorize, create_key

pytestmark = pytest.mark.server

JOBS = "/v1/fine_tuning/jobs"
FEW_SECONDS = 10.0


@dataclass
class Service:
    api: RunningApi
    database: Database

    def create_job(self, key: str | None) -> str:
        headers = {} if key is None else authorize(key)
        with httpx.Client(base_url=self.api.url, headers=headers, timeout=TIMEOUT_S) as http:
            file = http.post("/v1/files", files={"file": ("a.csv", review_csv(40))}).json()
            return str(http.post(JOBS, json={"training_file": file["id"]}).json()["id"])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_api(tmp_path) as api:
        database = Database(f"sqlite:///{tmp_path / 'test.db'}")
        yield Service(api, database)
        database.dispose()


class Reader(threading.Thread):
    """A client that reads a stream to its end."""

    def __init__(self, service: Service, key: str | None, job_id: str) -> None:
        super().__init__()
        self._url = f"{service.api.url}{JOBS}/{job_id}/events?stream=true"
        self._headers = {} if key is None else authorize(key)
        self.text = ""
        self.has_begun = threading.Event()
        self.start()
        assert self.has_begun.wait(TIMEOUT_S)

    def run(self) -> None:
        with httpx.stream("GET", self._url, headers=self._headers, timeout=TIMEOUT_S) as response:
            for part in response.iter_text():
                self.text += part
                self.has_begun.set()

    def read_error(self) -> str:
        """Wait for the end; returns the message of the final error."""
        begin = time.monotonic()
        self.join(TIMEOUT_S)
        assert not self.is_alive()
        assert time.monotonic() - begin < RELOAD_INTERVAL_S + FEW_SECONDS
        kind, data = self.text.strip().split("\n\n")[-1].split("\n")
        assert kind == "event: error"
        error = json.loads(data.removeprefix("data: "))["error"]
        assert error["code"] == "not_authenticated"
        return str(error["message"])


def test_a_stream_ends_when_its_key_is_revoked_or_expires(service: Service) -> None:
    names = ("revoked", "expired", "kept")
    keys = {name: create_key(service.database, name, "tenant") for name in names}
    job_id = service.create_job(keys["kept"])
    readers = {name: Reader(service, key, job_id) for name, key in keys.items()}
    with service.database.write() as session:
        ApiKeys(session).revoke_key("revoked")
        expired = session.query(ApiKey).filter_by(name="expired").one()
        expired.expires_at = expired.created_at
    prefixes = {name: key[:9] for name, key in keys.items()}
    assert readers["revoked"].read_error() == (
        f"The API key {prefixes['revoked']}… was revoked; use another key."
    )
    assert readers["expired"].read_error() == (
        f"The API key {prefixes['expired']}… has expired; use another key."
    )
    assert readers["kept"].is_alive()
    with service.database.write() as session:
        session.get_one(Job, job_id).status = "cancelled"
    readers["kept"].join(TIMEOUT_S)
    assert "event: done" in readers["kept"].text


def test_a_stream_without_a_key_ends_when_keys_are_required(service: Service) -> None:
    reader = Reader(service, None, service.create_job(None))
    create_key(service.database, "first")
    assert "requires an API key now" in reader.read_error()


def test_the_command_line_says_why_a_stream_ended(service: Service) -> None:
    key = create_key(service.database, "watcher")
    job_id = service.create_job(key)
    revoke = threading.Timer(1.0, _revoke, (service.database, "watcher"))
    revoke.start()
    with Client(service.api.url, key) as client, pytest.raises(CliError, match="was revoked"):
        show_events(client, job_id, 5, follow=True)
    revoke.join()


def _revoke(database: Database, name: str) -> None:
    with database.write() as session:
        ApiKeys(session).revoke_key(name)
