"""What a client sends again because it did not see the answer."""

from typing import Any

import openai
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob

from tests.client.driver.service import LONG, MODEL, Sent, Service, refused

CREATION = Sent("POST", "/v1/fine_tuning/jobs")


class FirstAnswerLost:
    """The first answer reaches the client as a gateway's 502, though the service has done what
    was asked.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.retries: list[str] = []

    def __call__(self, response: Any) -> None:
        self.statuses.append(response.status_code)
        self.retries.append(response.request.headers["x-stainless-retry-count"])
        if len(self.statuses) == 1:
            response.status_code = 502


def a_creation_sent_again_makes_one_job(service: Service) -> None:
    """The client itself sends again; that, and how often it did, is all it tells."""
    file, lost = service.reviews(), FirstAnswerLost()
    before = service.sent.count(CREATION)
    job = _create(service.client(max_retries=2, on_answer=[lost]), file)
    assert service.sent.count(CREATION) == before + 2
    assert (lost.statuses, lost.retries) == ([200, 200], ["0", "1"])
    jobs = service.strict.fine_tuning.jobs
    assert [one.id for one in jobs.list(metadata={"batch": file})] == [job.id]
    other = _create(service.strict, file)  # meant as a second one
    assert [one.id for one in jobs.list(metadata={"batch": file})] == [other.id, job.id]
    service.stop(job)
    service.stop(other)


def an_idempotency_key(service: Service) -> None:
    file = service.reviews()
    keyed = {"Idempotency-Key": f"nightly-{file}"}
    job = _create(service.strict, file, extra_headers=keyed)
    assert _create(service.strict, file, extra_headers=keyed).id == job.id
    patient = service.client(max_retries=2)
    before = len(service.sent)
    reused = refused(
        lambda: _create(patient, file, seed=1, extra_headers=keyed),
        openai.BadRequestError,
        "idempotency_key_reused",
    )
    assert len(service.sent) == before + 1
    assert reused.param == "Idempotency-Key"
    service.stop(job)


def _create(client: OpenAI, file: str, **more: Any) -> FineTuningJob:
    return client.fine_tuning.jobs.create(
        model=MODEL, training_file=file, metadata={"batch": file}, extra_body=LONG, **more
    )


CHECKS = (a_creation_sent_again_makes_one_job, an_idempotency_key)
