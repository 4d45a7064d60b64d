"""The service as the checks reach it: clients that note what they send."""

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
LONG = {"recipe": {"max_steps": 100_000, "reinit_layers": 1}, "runs": {"num_seeds": 1}}
"""``extra_body`` of a job that does not end by itself."""


class Sent(NamedTuple):
    method: str
    path: str
    """Escaped as it was sent, without the query."""


class Service:
    """Makes clients for the address in ``OPENAI_BASE_URL``; ``sent`` has every request of
    theirs, re-sent ones too, ``statuses`` what they were answered with.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.statuses: set[int] = set()
        self._clients: list[OpenAI] = []
        self.strict = self.client()

    def client(
        self,
        *,
        strict: bool = True,
        max_retries: int = 0,
        on_answer: Sequence[Callable[[Any], None]] = (),
    ) -> OpenAI:
        """``on_answer`` is called with each response before the client sees it."""
        http_client = openai.DefaultHttpxClient(
            event_hooks={"request": [self._note], "response": [self._note_answer, *on_answer]}
        )
        client = OpenAI(
            api_key="none",
            max_retries=max_retries,
            http_client=http_client,
            _strict_response_validation=strict,
        )
        self._clients.append(client)
        return client

    def _note(self, request: Any) -> None:
        self.sent.append(Sent(request.method, request.url.raw_path.decode().partition("?")[0]))

    def _note_answer(self, response: Any) -> None:
        self.statuses.add(response.status_code)

    def close(self) -> None:
        for client in self._clients:
            client.close()

    # what several checks do

    def reviews(self, rows: int = 60) -> str:
        """The id of a new data file."""
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
        """Cancel a job whose training proves nothing more."""
        self.wait(self.strict.fine_tuning.jobs.cancel(job.id))

    def train(self, job: FineTuningJob) -> FineTuningJob:
        """The job once it has succeeded."""
        job = self.wait(job)
        assert job.status == "succeeded", job.error
        return job


def raised(call: Callable[[], object], error: type[Raised]) -> Raised:
    """What the call raises; it must be of this class."""
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"expected {error.__name__}")


def refused(
    call: Callable[[], object], error: type[openai.APIStatusError], code: str
) -> openai.APIStatusError:
    """The client's own exception, of this class and code, from an error body of just the four
    keys, with a request id.
    """
    caught = raised(call, error)
    assert isinstance(caught.body, dict)
    assert sorted(caught.body) == ["code", "message", "param", "type"], caught.body
    assert list(caught.response.json()) == ["error"]
    assert caught.code == code, caught
    assert caught.body["message"] in caught.message
    assert caught.request_id
    return caught
