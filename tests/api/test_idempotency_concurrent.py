"""Concurrent copies of a creation create one job: over real sockets, with a real API process."""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.db.migrate import apply_migrations
from tests.make import review_csv
from tests.servers import RedisServer
from tests.stack import Stack

CONCURRENT_CREATIONS = 12
"""Three copies of each: nearly as many requests as the process has threads."""


@pytest.fixture
def api(database_url: str, tmp_path: Path, redis: RedisServer, model_dir: Path) -> Iterator[Stack]:
    """Start an API process without a worker, on SQLite and on PostgreSQL."""
    apply_migrations(database_url)
    with closing(Stack(tmp_path, database_url, redis, model_dir, slots=1)) as stack:
        stack.start("api")
        yield stack


class Copy(NamedTuple):
    """A copy of a creation request."""

    seed: int
    headers: dict[str, str]


class Answer(NamedTuple):
    job_id: str
    seed: int


def send_at_once(api: Stack, file_id: str, copies: Sequence[Copy]) -> list[Answer]:
    """Send all requests in this order before reading the first response."""
    with ExitStack() as stack:
        connections = []
        for _ in copies:
            connection = stack.enter_context(
                closing(http.client.HTTPConnection("127.0.0.1", api.port, timeout=60))
            )
            connection.connect()
            connections.append(connection)
        for connection, copy in zip(connections, copies, strict=True):
            body = {
                "training_file": file_id,
                "model": "tiny-bert",
                "seed": copy.seed,
                "recipe": {"max_steps": 9},
            }
            headers = {"content-type": "application/json", **copy.headers}
            connection.request(
                "POST",
                "/v1/fine_tuning/jobs",
                json.dumps(body | {"runs": {"num_seeds": 1}}),
                headers,
            )
        answers = []
        for connection in connections:
            response = connection.getresponse()
            job = json.loads(response.read())
            assert response.status == 200, job  # a copy waits for the first; none gets a 409
            answers.append(Answer(job["id"], job["seed"]))
    return answers


def list_job_ids(api: Stack) -> list[str]:
    ids: list[str] = []
    more = True
    while more:
        page = api.get("/v1/fine_tuning/jobs", limit=100, **({"after": ids[-1]} if ids else {}))
        ids += [job["id"] for job in page["data"]]
        more = page["has_more"]
    return ids


COPY_HEADERS: dict[str, Callable[[int], list[dict[str, str]]]] = {
    "key": lambda seed: [{"Idempotency-Key": f"job-{seed}"}] * 3,
    "retry count": lambda _: [{"x-stainless-retry-count": str(attempt)} for attempt in range(3)],
}
"""The headers of each copy of a creation."""


@pytest.mark.parametrize("creations", [24, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("how", COPY_HEADERS)
def test_concurrent_copies_create_one_job(api: Stack, creations: int, how: str) -> None:
    file_id = api.upload(review_csv(40))["id"]
    job_ids_by_seed: dict[int, set[str]] = {}
    for first in range(0, creations, CONCURRENT_CREATIONS):
        seeds = range(first, min(first + CONCURRENT_CREATIONS, creations))
        copies = [
            Copy(seed, COPY_HEADERS[how](seed)[attempt]) for attempt in range(3) for seed in seeds
        ]
        for answer in send_at_once(api, file_id, copies):
            job_ids_by_seed.setdefault(answer.seed, set()).add(answer.job_id)
    assert len(job_ids_by_seed) == creations
    assert {len(ids) for ids in job_ids_by_seed.values()} == {1}
    assert sorted(list_job_ids(api)) == sorted(
        job_id for ids in job_ids_by_seed.values() for job_id in ids
    )
