"""What several folders of tests share: servers from wheels, tiny base models on disk, whole
services.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.encoders import build_bert_folder, build_roberta_folder
from tests.servers import PostgresServer, RedisServer, redis_server, run_postgres_server
from tests.stack import Stack, running_stack

_numbers = count()

_SERVER_FIXTURES = {"postgres", "redis", "stack", "shared_stack", "own_redis", "settings", "site"}
_PROCESS_FOLDERS = (
    "benchmarks",
    "cli",
    "client",
    "compose",
    "docs",
    "faults",
    "flow",
    "openapi",
    "worker/trainer",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start servers or other processes."""
    for item in items:
        if isinstance(item, pytest.Function) and _starts_server(item):
            item.add_marker("server")


def _starts_server(test: pytest.Function) -> bool:
    folder = test.path.parent.relative_to(Path(__file__).parent)
    folders = {str(folder), folder.parts[0] if folder.parts else ""}
    params = test.callspec.params.values() if hasattr(test, "callspec") else ()
    return (
        not folders.isdisjoint(_PROCESS_FOLDERS)
        or not _SERVER_FIXTURES.isdisjoint(test.fixturenames)
        or "postgresql" in params
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with own_postgres() as server:
        yield server


@contextmanager
def own_postgres() -> Iterator[PostgresServer]:
    """Without fsync: what is written outlives the server's process, if not the machine, and
    that is all that is killed here.
    """
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-pg-") as folder,
        run_postgres_server(Path(folder), fsync="off") as server,
    ):
        yield server


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of base models: ``tiny-bert`` and ``tiny-roberta``."""
    folder = tmp_path_factory.mktemp("models")
    build_bert_folder(folder / "tiny-bert")
    build_roberta_folder(folder / "tiny-roberta")
    return folder


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    return new_database(request, request.param, tmp_path)


def new_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / 'test.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database(f"test_{next(_numbers)}")


@pytest.fixture
def stack(
    database_url: str, tmp_path: Path, redis: RedisServer, model_dir: Path
) -> Iterator[Stack]:
    """A whole service, on SQLite and on PostgreSQL."""
    with running_stack(tmp_path / "home", database_url, redis, model_dir) as running:
        yield running


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Stack]:
    """One service on SQLite for the tests of a module that leave each other alone."""
    home = tmp_path_factory.mktemp("stack")
    url = f"sqlite:///{home / 'test.db'}"
    with (
        redis_server() as server,
        running_stack(home, url, server, model_dir) as running,
    ):
        yield running
