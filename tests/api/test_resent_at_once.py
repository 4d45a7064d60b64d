"""Copies of one creation that come at the same moment, as from a client that gave up waiting,
make one job: over real sockets.
"""

import http.client
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.db.migrate import upgrade
from tests.make import review_csv
from tests.servers import RedisServer
from tests.stack import Stack

AT_ONCE = 12
"""Creations, with three copies each: together nearly as many requests as the process has
threads.
"""


@pytest.fixture
def api(database_url: str, tmp_path: Path, redis: RedisServer, model_dir: Path) -> Iterator[Stack]:
    """The API process alone, on SQLite and on PostgreSQL."""
    upgrade(database_url)
    with closing(Stack(tmp_path, database_url, redis, model_dir, slots=1)) as stack:
        stack.start("api")
        yield stack


class Copy(NamedTuple):
    """One sending of a creation."""

    seed: int
    headers: dict[str, str]


class Answer(NamedTuple):
    job_id: str
    seed: int


def send_at_once(api: Stack, file_id: str, copies: Sequence[Copy]) -> list[Answer]:
    """Every request is on its way, in this order, before the first answer is read."""
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
            assert response.status == 200, (
                job
            )  # the copy waits for the first: nobody is sent away with a 409
            answers.append(Answer(job["id"], job["seed"]))
    return answers


def made_jobs(api: Stack) -> list[str]:
    ids: list[str] = []
    more = True
    while more:
        page = api.get("/v1/fine_tuning/jobs", limit=100, **({"after": ids[-1]} if ids else {}))
        ids += [job["id"] for job in page["data"]]
        more = page["has_more"]
    return ids


HOW: dict[str, Callable[[int], list[dict[str, str]]]] = {
    "key": lambda seed: [{"Idempotency-Key": f"job-{seed}"}] * 3,
    "retry count": lambda _: [{"x-stainless-retry-count": str(attempt)} for attempt in range(3)],
}
"""The headers of each copy of a creation."""


@pytest.mark.parametrize("creations", [24, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("how", HOW)
def test_copies_sent_at_once_make_one_job(api: Stack, creations: int, how: str) -> None:
    file_id = api.upload(review_csv(40))["id"]
    answered: dict[int, set[str]] = {}
    for first in range(0, creations, AT_ONCE):
        seeds = range(first, min(first + AT_ONCE, creations))
        copies = [Copy(seed, HOW[how](seed)[attempt]) for attempt in range(3) for seed in seeds]
        for answer in send_at_once(api, file_id, copies):
            answered.setdefault(answer.seed, set()).add(answer.job_id)
    assert len(answered) == creations
    assert {len(ids) for ids in answered.values()} == {1}
    assert sorted(made_jobs(api)) == sorted(job_id for ids in answered.values() for job_id in ids)
