"""One service per kind of database for all fault tests, and its results without any fault."""

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
    """A service, and the metrics of every run of a job that was not disturbed."""

    stack: Stack
    file_id: str
    series: list[dict[str, list[list[float]]]]
    weights: list[str]

    def start(self) -> str:
        """Start the same job again."""
        return str(self.stack.create(self.file_id, **REQUEST)["id"])

    def expect_the_same_of(self, job_id: str) -> None:
        """Assert that the job succeeds with the same points, each stored once."""
        job = self.stack.wait(job_id)
        assert job["status"] == "succeeded", self.stack.logs()
        runs = self.stack.runs(job_id)
        assert [run["weights_sha256"] for run in runs] == self.weights
        assert [self.stack.metrics(job_id, run["id"]) for run in runs] == self.series
        assert job["stability"]["n"] == len(runs)


# for tests that hardly depend on the kind of database
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
    """A PostgreSQL for these tests only, so that recovery after a kill is quick."""
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def own_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
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
