"""Limits of an owner: each has its own error, and two requests at once do not pass one together."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.access.rate_limit import RequestRateLimiter
from api.app import create_app
from api.jobs.presenting.event_stream import EventStreamLimiter
from shared.db.api_keys import ApiKeys
from shared.db.session import Database
from shared.domain.api_keys import Scope
from shared.domain.limit_errors import OwnerStreamsLimit, RequestRateLimit, TooManyStreams
from shared.infra.settings import Settings
from tests.make import review_csv
from tests.security.conftest import authorize

JOBS = "/v1/fine_tuning/jobs"
LIMITS: dict[str, Any] = {
    "owner_files": 4,
    "owner_stored_bytes": 100_000,
    "owner_open_jobs": 2,
    "owner_job_runs": 3,
    "owner_queued_runs": 7,
}


@pytest.fixture
def tenant(
    settings: Settings, database: Database, request: pytest.FixtureRequest
) -> Iterator[TestClient]:
    """A client with the key of an owner who has nothing yet, and small limits."""
    with database.write() as session:
        name = f"tenant-{len(ApiKeys(session).list_keys())}"
        key = ApiKeys(session).create_key(name, Scope.SUBMIT, owner_id=None, lifetime_seconds=None)
    app = create_app(settings.model_copy(update=LIMITS))
    with TestClient(app, headers=authorize(key.key)) as http:
        yield http


def upload(http: TestClient, rows: int = 40) -> Any:
    return http.post("/v1/files", files={"file": ("a.csv", review_csv(rows))})


def create_job(http: TestClient, file_id: str, seeds: int = 1, seed: int = 0) -> Any:
    body = {
        "model": "tiny-bert",
        "training_file": file_id,
        "seed": seed,
        "recipe": {"preset": "conventional"},
        "runs": {"num_seeds": seeds},
    }
    return http.post(JOBS, json=body)


def get_code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_files(tenant: TestClient) -> None:
    file_ids = [upload(tenant).json()["id"] for _ in range(3)]
    announced = {"filename": "b.csv", "purpose": "fine-tune", "bytes": 5, "mime_type": "text/csv"}
    pending = tenant.post("/v1/uploads", json=announced)
    assert pending.status_code == 200
    refused = upload(tenant)
    assert get_code(refused) == (429, "files_limit")
    assert refused.headers["x-should-retry"] == "false"
    assert get_code(tenant.post("/v1/uploads", json=announced)) == (429, "files_limit")
    tenant.delete(f"/v1/files/{file_ids[0]}")
    assert upload(tenant).status_code == 200


def test_stored_bytes(tenant: TestClient) -> None:
    announced = {"filename": "b.csv", "purpose": "fine-tune", "mime_type": "text/csv"}
    upload_id = tenant.post("/v1/uploads", json={**announced, "bytes": 99_990}).json()["id"]
    assert get_code(upload(tenant)) == (429, "stored_bytes_limit")
    tenant.post(f"/v1/uploads/{upload_id}/cancel")
    assert upload(tenant).status_code == 200


def test_an_upload_is_not_counted_twice_when_it_is_completed(tenant: TestClient) -> None:
    content = b"text,label\n" + b"a good film,good\na bad film,bad\n" * 1800
    announced = {
        "filename": "b.csv",
        "purpose": "fine-tune",
        "mime_type": "text/csv",
        "bytes": len(content),
    }
    upload_id = tenant.post("/v1/uploads", json=announced).json()["id"]
    part = tenant.post(f"/v1/uploads/{upload_id}/parts", files={"data": ("p", content)}).json()
    done = tenant.post(f"/v1/uploads/{upload_id}/complete", json={"part_ids": [part["id"]]})
    assert done.json()["status"] == "completed"
    assert 2 * len(content) > LIMITS["owner_stored_bytes"]


def test_jobs_and_runs(tenant: TestClient) -> None:
    file_id = upload(tenant).json()["id"]
    assert get_code(create_job(tenant, file_id, seeds=4)) == (400, "job_runs_limit")
    first = create_job(tenant, file_id, seeds=2)
    assert first.status_code == 200, first.text
    job_id = first.json()["id"]
    extended = tenant.post(f"{JOBS}/{job_id}/extend", json={"num_seeds": 2})
    assert get_code(extended) == (400, "job_runs_limit")
    second = create_job(tenant, file_id, seeds=2, seed=7)
    assert second.status_code == 200
    assert get_code(create_job(tenant, file_id, seed=9)) == (429, "open_jobs_limit")
    tenant.post(f"{JOBS}/{job_id}/cancel")
    third = create_job(tenant, file_id, seed=9)
    assert third.status_code == 200, third.text


def test_waiting_runs(settings: Settings, tenant: TestClient) -> None:
    file_id = upload(tenant).json()["id"]
    app = create_app(settings.model_copy(update={**LIMITS, "owner_queued_runs": 4}))
    with TestClient(app, headers=dict(tenant.headers)) as http:
        job_id = create_job(http, file_id, seeds=2).json()["id"]
        assert get_code(create_job(http, file_id, seeds=3, seed=5)) == (429, "queued_runs_limit")
        http.post(f"{JOBS}/{job_id}/pause")  # paused runs count too
        assert get_code(create_job(http, file_id, seeds=3, seed=5)) == (429, "queued_runs_limit")


def test_two_creations_at_once_do_not_pass_together(tenant: TestClient) -> None:
    file_id = upload(tenant).json()["id"]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(
            pool.map(lambda seed: create_job(tenant, file_id, seed=seed).status_code, range(6))
        )
    assert sorted(statuses) == [200] * 2 + [429] * 4
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda _: upload(tenant).status_code, range(6)))
    assert sorted(statuses) == [200] * 3 + [429] * 3


def test_event_streams() -> None:
    limiter = EventStreamLimiter(3, 2)
    limiter.acquire_stream("a")
    limiter.acquire_stream("a")
    with pytest.raises(OwnerStreamsLimit):
        limiter.acquire_stream("a")
    limiter.acquire_stream("b")
    with pytest.raises(TooManyStreams):
        limiter.acquire_stream("c")
    limiter.release_stream("a")
    limiter.acquire_stream("a")


class TestRate:
    def test_an_owner_has_a_bucket_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: now)
        limiter = RequestRateLimiter(2.0)
        states = [limiter.admit_request("a") for _ in range(4)]
        assert [state.remaining for state in states] == [3, 2, 1, 0]
        assert states[-1].build_headers() == {
            "x-ratelimit-limit-requests": "4",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "2s",
        }
        with pytest.raises(RequestRateLimit) as raised:
            limiter.admit_request("a")
        assert raised.value.response_headers["retry-after"] == "1"
        assert limiter.admit_request("b").remaining == 3
        now += 0.5
        assert limiter.admit_request("a").remaining == 0

    def test_a_request_too_many_is_refused_with_the_time_to_wait(
        self, settings: Settings, tenant: TestClient
    ) -> None:
        app = create_app(settings.model_copy(update={"owner_requests_per_second": 0.01}))
        with TestClient(app, headers=dict(tenant.headers)) as http:
            admitted = http.get(JOBS)
            assert admitted.headers["x-ratelimit-remaining-requests"] == "0"
            refused = http.get(JOBS)
            assert get_code(refused) == (429, "request_rate_limit")
            assert 1 <= int(refused.headers["retry-after"]) <= 100
            assert refused.headers["x-ratelimit-limit-requests"] == "1"
            assert http.get("/health").status_code == 200
