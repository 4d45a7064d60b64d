"""A creation that a client sends again, because it did not see the answer, makes no second job."""

import time

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.dependencies import AppServices
from api.jobs.creation import create_job
from api.jobs.idempotency import RequestIdentity
from api.jobs.request_schemas import JobRequest
from shared.db.session import Database
from shared.db.tables import Job
from shared.infra.settings import Settings

JOBS = "/v1/fine_tuning/jobs"


def send(http: TestClient, file_id: str, seed: int, retry: int | None) -> str:
    headers = {} if retry is None else {"x-stainless-retry-count": str(retry)}
    body = {"training_file": file_id, "model": "tiny-bert", "seed": seed}
    return str(http.post(JOBS, json=body, headers=headers).json()["id"])


def test_a_retry_answers_with_the_job_already_made(http: TestClient, file_id: str) -> None:
    first = send(http, file_id, 300, 0)
    assert send(http, file_id, 300, 1) == send(http, file_id, 300, 2) == first
    assert send(http, file_id, 301, 1) != first  # another body
    assert send(http, file_id, 300, 0) != first  # meant as a second job
    assert send(http, file_id, 300, None) != first


def test_after_a_quarter_of_an_hour_it_is_a_new_job(
    http: TestClient, file_id: str, settings: Settings
) -> None:
    first = send(http, file_id, 310, 0)
    database = Database(settings.resolved_database_url)
    with database.write() as session:
        session.execute(update(Job).where(Job.id == first).values(created_at=Job.created_at - 901))
    database.dispose()
    assert send(http, file_id, 310, 1) != first


def test_a_first_request_that_its_copy_overtakes_makes_no_job(
    http: TestClient, file_id: str
) -> None:
    assert isinstance(http.app, FastAPI)
    parts: AppServices = http.app.state.services
    request = JobRequest.model_validate(
        {"training_file": file_id, "model": "tiny-bert", "seed": 320}
    )
    first = RequestIdentity(arrived_at=time.monotonic())
    copy = send(http, file_id, 320, 1)
    assert create_job(parts, request, first).id == copy == send(http, file_id, 320, 2)
    second = RequestIdentity()  # came after the copy was answered: meant as a second job
    assert create_job(parts, request, second).id != copy


@pytest.mark.parametrize("key", ["a b", "k" * 256])
def test_a_key_that_is_none_is_refused_in_words(http: TestClient, file_id: str, key: str) -> None:
    answer = http.post(JOBS, json={"training_file": file_id}, headers={"Idempotency-Key": key})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "idempotency-key")
    assert "1 to 255 visible ASCII characters" in error["message"]
