"""Keys while the service runs: created, used, revoked, guessed; the administrator's key."""

import logging
import time

import pytest
from fastapi.testclient import TestClient
from openai import OpenAI
from pydantic import SecretStr

from api.access.key_directory import RELOAD_INTERVAL_S, UNKNOWN_KEY_INTERVAL_S
from api.access.key_throttle import MAX_FAILURES, KeyThrottle
from api.app import create_app
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.db.tables import ApiKey
from shared.domain.api_keys import Scope
from shared.domain.limit_errors import TooManyWrongKeys
from shared.infra.settings import Settings
from tests.make import review_csv
from tests.security.conftest import ADMIN_KEY, Keys, authorize, create_key

JOBS = "/v1/fine_tuning/jobs"


def wait_for_status(http: TestClient, key: str, status: int) -> None:
    deadline = time.monotonic() + 60
    while http.get(JOBS, headers=authorize(key)).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(RELOAD_INTERVAL_S / 10)


def test_a_key_is_stored_as_its_digest_alone(database: Database, keys: Keys) -> None:
    secret = keys.owner.rpartition("_")[2]
    assert len(secret) == 64
    with database.read() as session:
        row = session.query(ApiKey).filter_by(name="owner").one()
        stored = [getattr(row, column.name) for column in ApiKey.__table__.columns]
    assert secret not in str(stored)
    assert keys.owner.startswith(row.prefix)


def test_a_key_works_and_ends_without_a_restart(http: TestClient, database: Database) -> None:
    key = create_key(database, "short-lived")
    time.sleep(UNKNOWN_KEY_INTERVAL_S)  # a copy that is younger may count
    assert http.get(JOBS, headers=authorize(key)).status_code == 200
    with database.write() as session:
        ApiKeys(session).revoke_key(key[:9])
    wait_for_status(http, key, 401)
    answer = http.get(JOBS, headers=authorize(key)).json()["error"]["message"]
    assert answer == f"The API key {key[:9]}… was revoked; use another key."


def test_the_use_of_a_key_is_recorded_once_a_minute(http: TestClient, database: Database) -> None:
    key = create_key(database, "used")
    wait_for_status(http, key, 200)
    deadline = time.monotonic() + 60
    used_at = None
    while used_at is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        with database.read() as session:
            used_at = session.query(ApiKey).filter_by(name="used").one().last_used_at
    for _ in range(3):
        http.get(JOBS, headers=authorize(key))
    with database.write() as session:
        row = session.query(ApiKey).filter_by(name="used").one()
        ApiKeys(session).record_use(row.id)  # as another process does
        session.refresh(row)
        assert row.last_used_at == used_at


def test_the_last_key_that_ends_does_not_open_the_service(
    settings: Settings, keys: Keys, database: Database
) -> None:
    without_admin = settings.model_copy(update={"api_key": None})
    with TestClient(create_app(without_admin)) as http, database.write() as session:
        session.query(ApiKey).update({"revoked_at": 1.0})
        session.flush()
        assert http.get(JOBS).status_code == 401
        session.rollback()


def test_a_health_probe_under_a_proxy_s_name_is_answered_before_other_requests(
    settings: Settings, keys: Keys
) -> None:
    without_names = settings.model_copy(update={"api_key": None, "allowed_hosts": ""})
    with TestClient(create_app(without_names)) as http:
        assert http.get("/health", headers={"host": "proxy.example"}).status_code == 200


def test_the_official_client_sends_a_key(http: TestClient, keys: Keys) -> None:
    def connect(key: str) -> OpenAI:
        return OpenAI(base_url="http://testserver/v1", api_key=key, http_client=http)

    file = connect(keys.owner).files.create(file=("a.csv", review_csv(30)), purpose="fine-tune")
    assert connect(keys.reader).files.retrieve(file.id).id == file.id
    assert file.id not in [one.id for one in connect(keys.other).files.list()]


def test_the_administrator_sees_the_installation_and_no_rows_of_others(
    http: TestClient, keys: Keys, database: Database
) -> None:
    file = http.post(
        "/v1/files", files={"file": ("a.csv", review_csv(30))}, headers=authorize(keys.other)
    ).json()
    admin = authorize(ADMIN_KEY)
    assert http.get(f"/v1/files/{file['id']}", headers=admin).status_code == 404
    assert http.get("/v1/queue", headers=admin).json()["workers"] == []
    assert http.get("/v1/queue", headers=authorize(keys.other)).json()["workers"] is None
    other_admin = create_key(database, "other-admin", "other", Scope.ADMIN)
    wait_for_status(http, other_admin, 200)
    assert http.get("/v1/queue", headers=authorize(other_admin)).json()["workers"] == []
    assert http.get(f"/v1/files/{file['id']}", headers=authorize(other_admin)).status_code == 200


def test_an_owner_s_key_in_the_environment_does_not_become_the_administrator_s(
    settings: Settings, keys: Keys
) -> None:
    exported = settings.model_copy(update={"api_key": SecretStr(keys.revoked)})
    with TestClient(create_app(exported)) as http:
        assert http.get(JOBS, headers=authorize(keys.revoked)).status_code == 401
        assert http.get(JOBS, headers=authorize(keys.other)).status_code == 200


def test_a_job_belongs_to_the_owner_of_its_key(http: TestClient, keys: Keys) -> None:
    headers = authorize(keys.other)
    file = http.post("/v1/files", files={"file": ("a.csv", review_csv(40))}, headers=headers)
    body = {"model": "tiny-bert", "training_file": file.json()["id"]}
    job = http.post(JOBS, json=body, headers=headers).json()
    assert job["organization_id"] == "other"
    again = http.post(JOBS, json=body, headers=authorize(keys.owner))
    assert again.status_code == 404  # the same bytes, but another owner's file


class TestGuesses:
    def test_an_address_is_throttled_and_no_other_one(
        self, http: TestClient, keys: Keys, caplog: pytest.LogCaptureFixture
    ) -> None:
        guesser = TestClient(http.app, client=("192.0.2.7", 1))
        guess = f"{keys.owner[:-4]}beef"
        with caplog.at_level(logging.WARNING):
            statuses = [
                guesser.get(JOBS, headers=authorize(guess)).status_code
                for _ in range(MAX_FAILURES + 2)
            ]
        assert statuses == [401] * MAX_FAILURES + [429, 429]
        refused = guesser.get(JOBS, headers=authorize(keys.owner))
        assert refused.json()["error"]["code"] == "too_many_wrong_keys"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert http.get(JOBS, headers=authorize(keys.owner)).status_code == 200
        assert "192.0.2.7" in caplog.text
        assert guess[9:] not in caplog.text

    def test_a_missing_or_ended_key_is_no_guess(self, http: TestClient, keys: Keys) -> None:
        client = TestClient(http.app, client=("192.0.2.8", 1))
        for _ in range(MAX_FAILURES + 1):
            assert client.get(JOBS).status_code == 401
            assert client.get(JOBS, headers=authorize(keys.expired)).status_code == 401
        assert client.get(JOBS, headers=authorize(keys.owner)).status_code == 200

    def test_an_address_may_try_again_after_a_minute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        throttle = KeyThrottle()
        for number in range(MAX_FAILURES):
            throttle.require_open("2001:db8::1")
            assert throttle.record_failure(f"2001:db8::{number}") == (number == MAX_FAILURES - 1)
        with pytest.raises(TooManyWrongKeys):
            throttle.require_open("2001:db8::ffff")  # of the same network
        throttle.require_open("2001:db9::1")
        now = 60.0
        throttle.require_open("2001:db8::1")
