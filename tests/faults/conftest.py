"""One service for each kind of database for all fault tests, and what an undisturbed job gives
there.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import new_database, own_postgres
from tests.make import review_csv
from tests.servers import PostgresServer, RedisServer, redis_server
from tests.stack import Stack, running_stack

REQUEST: dict[str, Any] = {
    "model": "tiny-bert",
    "recipe": {"max_steps": 300, "learning_rate": 0.002, "train_batch_size": 8, "reinit_layers": 1},
    "runs": {"num_seeds": 3},
}


@dataclass(frozen=True)
class Undisturbed:
    """The service, and the series of every run of a job that nothing happened to."""

    stack: Stack
    file_id: str
    series: list[dict[str, list[list[float]]]]
    weights: list[str]

    def start(self) -> str:
        """The same job once more."""
        return str(self.stack.create(self.file_id, **REQUEST)["id"])

    def expect_the_same_of(self, job_id: str) -> None:
        """The job succeeds, with every point once and every value as if nothing had happened."""
        job = self.stack.wait(job_id)
        assert job["status"] == "succeeded", self.stack.logs()
        runs = self.stack.runs(job_id)
        assert [run["weights_sha256"] for run in runs] == self.weights
        assert [self.stack.metrics(job_id, run["id"]) for run in runs] == self.series
        assert job["stability"]["n"] == len(runs)


# for what hardly depends on which database it is
SQLITE_IN_FULL_COUNTS = pytest.mark.parametrize(
    "kind",
    [pytest.param("sqlite", marks=pytest.mark.long), "postgresql"],
    indirect=True,
    scope="session",
)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Of these tests alone: killed, it comes back without going over all that other tests have
    written.
    """
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def own_redis() -> Iterator[RedisServer]:
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-redis-") as folder,
        redis_server(Path(folder)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def undisturbed(
    request: pytest.FixtureRequest,
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
    own_redis: RedisServer,
    model_dir: Path,
) -> Iterator[Undisturbed]:
    home = tmp_path_factory.mktemp("faults")
    with running_stack(home, new_database(request, kind, home), own_redis, model_dir) as stack:
        file = stack.upload(review_csv(80))
        job = stack.create(file["id"], **REQUEST)
        assert stack.wait(job["id"])["status"] == "succeeded", stack.logs()
        runs = stack.runs(job["id"])
        series = [stack.metrics(job["id"], run["id"]) for run in runs]
        yield Undisturbed(stack, file["id"], series, [run["weights_sha256"] for run in runs])
