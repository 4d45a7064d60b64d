"""Repeated creations: a client that missed the response gets the same job."""

import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.dependencies import AppServices
from api.jobs.creation import create_job
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from shared.db.session import Database
from shared.db.tables import Job
from shared.infra.settings import Settings

JOBS = "/v1/fine_tuning/jobs"


def send(http: TestClient, file_id: str, seed: int, retry: int | None) -> str:
    headers = {} if retry is None else {"x-stainless-retry-count": str(retry)}
    body = {"training_file": file_id, "model": "tiny-bert", "seed": seed}
    return str(http.post(JOBS, json=body, headers=headers).json()["id"])


def test_a_retry_returns_the_existing_job(http: TestClient, file_id: str) -> None:
    first = send(http, file_id, 300, 0)
    assert send(http, file_id, 300, 1) == send(http, file_id, 300, 2) == first
    assert send(http, file_id, 301, 1) != first  # another body
    assert send(http, file_id, 300, 0) != first  # not a retry
    assert send(http, file_id, 300, None) != first


def test_a_retry_after_a_quarter_of_an_hour_creates_a_new_job(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    first = send(http, file_id, 310, 0)
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        session.execute(update(Job).where(Job.id == first).values(created_at=Job.created_at - 901))
    database.dispose()
    assert send(http, file_id, 310, 1) != first


def test_a_request_overtaken_by_its_copy_creates_no_job(http: TestClient, file_id: str) -> None:
    assert isinstance(http.app, FastAPI)
    services: AppServices = http.app.state.services
    request = JobRequest.model_validate(
        {"training_file": file_id, "model": "tiny-bert", "seed": 320}
    )
    first = RequestIdentity(arrived_at=time.monotonic())
    copy = send(http, file_id, 320, 1)
    assert create_job(services, request, first).id == copy == send(http, file_id, 320, 2)
    second = RequestIdentity()  # arrived after the copy's response, so it is new
    assert create_job(services, request, second).id != copy


@pytest.mark.parametrize("key", ["a b", "k" * 256])
def test_an_invalid_idempotency_key_is_refused(http: TestClient, file_id: str, key: str) -> None:
    answer = http.post(JOBS, json={"training_file": file_id}, headers={"Idempotency-Key": key})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "idempotency-key")
    assert "1 to 255 visible ASCII characters" in error["message"]
