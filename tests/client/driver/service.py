"""Clients of the service that record what they send, and helpers that several checks use."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import openai
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob

from tests.make import review_csv

Raised = TypeVar("Raised", bound=Exception)
ENDED = ("succeeded", "failed", "cancelled")
MODEL = "tiny-bert"
LONG = {
    "recipe": {"max_steps": 100_000, "reinit_layers": 1, "learning_rate": 6.4e-4},
    "runs": {"num_seeds": 1},
}
"""``extra_body`` of a job that runs until it is cancelled."""


class SentRequest(NamedTuple):
    method: str
    path: str
    """Percent-encoded as sent, without the query."""


class Service:
    """Creates clients for the address in ``OPENAI_BASE_URL``, and records their requests.

    ``sent`` has every request, retries included; ``statuses`` the statuses of the responses.
    """

    def __init__(self) -> None:
        self.sent: list[SentRequest] = []
        self.statuses: set[int] = set()
        self._clients: list[OpenAI] = []
        self.strict = self.create_client()

    def create_client(
        self,
        *,
        strict: bool = True,
        max_retries: int = 0,
        on_response: Sequence[Callable[[Any], None]] = (),
    ) -> OpenAI:
        """Create a client; ``on_response`` hooks get each response before the client does."""
        http_client = openai.DefaultHttpxClient(
            event_hooks={
                "request": [self._record_request],
                "response": [self._record_response, *on_response],
            }
        )
        client = OpenAI(
            api_key="none",
            max_retries=max_retries,
            http_client=http_client,
            _strict_response_validation=strict,
        )
        self._clients.append(client)
        return client

    def _record_request(self, request: Any) -> None:
        self.sent.append(
            SentRequest(request.method, request.url.raw_path.decode().partition("?")[0])
        )

    def _record_response(self, response: Any) -> None:
        self.statuses.add(response.status_code)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def upload_reviews(self, rows: int = 60) -> str:
        """Upload a data set and return its id."""
        return self.strict.files.create(
            file=("reviews.csv", review_csv(rows)), purpose="fine-tune"
        ).id

    def wait(self, job: FineTuningJob, *statuses: str) -> FineTuningJob:
        """Poll until the job has one of the statuses, or has ended."""
        deadline = time.monotonic() + 120
        while job.status not in (*statuses, *ENDED):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{job.id} is {job.status}")
            time.sleep(0.1)
            job = self.strict.fine_tuning.jobs.retrieve(job.id)
        return job

    def stop(self, job: FineTuningJob) -> None:
        """Cancel a job that is not needed any more."""
        self.wait(self.strict.fine_tuning.jobs.cancel(job.id))

    def train(self, job: FineTuningJob) -> FineTuningJob:
        """Wait until the job has succeeded."""
        job = self.wait(job)
        assert job.status == "succeeded", job.error
        return job


def expect_error(call: Callable[[], object], error: type[Raised]) -> Raised:
    """Return the exception that the call raises; fail for another class or none."""
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"expected {error.__name__}")


def expect_api_error(
    call: Callable[[], object], error: type[openai.APIStatusError], code: str
) -> openai.APIStatusError:
    """Return the client's exception; check its class, code, body and request id."""
    caught = expect_error(call, error)
    assert isinstance(caught.body, dict)
    assert sorted(caught.body) == ["code", "message", "param", "type"], caught.body
    assert list(caught.response.json()) == ["error"]
    assert caught.code == code, caught
    assert caught.body["message"] in caught.message
    assert caught.request_id
    return caught
