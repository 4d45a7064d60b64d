"""Checks of the client's retries, and of idempotency keys."""

from typing import Any

import openai
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob

from tests.client.driver.service import LONG, MODEL, SentRequest, Service, expect_api_error

CREATION = SentRequest("POST", "/v1/fine_tuning/jobs")


class FirstResponseLost:
    """A response hook that turns the first response into a gateway's 502."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.retries: list[str] = []

    def __call__(self, response: Any) -> None:
        self.statuses.append(response.status_code)
        self.retries.append(response.request.headers["x-stainless-retry-count"])
        if len(self.statuses) == 1:
            response.status_code = 502


def check_a_retried_creation_makes_one_job(service: Service) -> None:
    """The client retries by itself; only its retry count tells the requests apart."""
    file, lost_response = service.upload_reviews(), FirstResponseLost()
    before = service.sent.count(CREATION)
    job = _create_job(service.create_client(max_retries=2, on_response=[lost_response]), file)
    assert service.sent.count(CREATION) == before + 2
    assert (lost_response.statuses, lost_response.retries) == ([200, 200], ["0", "1"])
    jobs = service.strict.fine_tuning.jobs
    assert [listed.id for listed in jobs.list(metadata={"batch": file})] == [job.id]
    other = _create_job(service.strict, file)  # a request of its own
    assert [listed.id for listed in jobs.list(metadata={"batch": file})] == [other.id, job.id]
    service.stop(job)
    service.stop(other)


def check_idempotency_key(service: Service) -> None:
    file = service.upload_reviews()
    headers = {"Idempotency-Key": f"nightly-{file}"}
    job = _create_job(service.strict, file, extra_headers=headers)
    assert _create_job(service.strict, file, extra_headers=headers).id == job.id
    retrying = service.create_client(max_retries=2)
    before = len(service.sent)
    error = expect_api_error(
        lambda: _create_job(retrying, file, seed=1, extra_headers=headers),
        openai.BadRequestError,
        "idempotency_key_reused",
    )
    assert len(service.sent) == before + 1
    assert error.param == "Idempotency-Key"
    service.stop(job)


def _create_job(client: OpenAI, file: str, **fields: Any) -> FineTuningJob:
    return client.fine_tuning.jobs.create(
        model=MODEL, training_file=file, metadata={"batch": file}, extra_body=LONG, **fields
    )


CHECKS = (check_a_retried_creation_makes_one_job, check_idempotency_key)
