"""``evenkeel api``, ``worker`` and ``db upgrade`` as containers run them, and ``--help``."""

import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from cli.errors import BAD_INPUT
from shared.infra.child_process import build_module_command
from tests.cli.stack import environment, evenkeel
from tests.processes import await_end, children, command_line, until
from tests.servers import RedisServer


def test_db_upgrade_creates_the_tables_and_can_be_repeated(tmp_path: Path) -> None:
    for _ in range(2):
        done = evenkeel("db", "upgrade", EVENKEEL_DATABASE_URL=f"sqlite:///{tmp_path / 'some.db'}")
        assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "some.db") as connection:
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    connection.close()
    assert {"alembic_version", "jobs", "runs"} <= tables


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"EVENKEEL_DATABASE_URL": "nonsense"}, "EVENKEEL_DATABASE_URL is not a database URL"),
        (
            {"EVENKEEL_DATABASE_URL": "sqlite:////no/such/folder/a.db"},
            "unable to open database file",
        ),
        ({"EVENKEEL_PORT": "http"}, "EVENKEEL_PORT must be a whole number."),
        ({"EVENKEEL_STACK": "many"}, 'EVENKEEL_STACK must be a whole number or "auto".'),
        (
            {"EVENKEEL_LOG_LEVEL": "LOUD"},
            'EVENKEEL_LOG_LEVEL must be "DEBUG", "INFO", "WARNING" or "ERROR".',
        ),
        (
            {"EVENKEEL_LEASE_SECONDS": "1"},
            "EVENKEEL_HEARTBEAT_SECONDS must be shorter than EVENKEEL_LEASE_SECONDS",
        ),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(
    settings: dict[str, str], sentence: str
) -> None:
    done = evenkeel("db", "upgrade", **settings)
    assert done.returncode == BAD_INPUT
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["up", "api", "worker"])
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"EVENKEEL_LOG_LEVEL": "LOUD"}, "EVENKEEL_LOG_LEVEL must be "),
        (
            {"EVENKEEL_MODEL_DIRS": "/no/such/folder"},
            "EVENKEEL_MODEL_DIRS names /no/such/folder, which does not exist.",
        ),
    ],
)
def test_a_part_does_not_start_with_an_invalid_setting(
    command: str, settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    done = evenkeel(command, EVENKEEL_HOME=str(tmp_path), **settings)
    assert done.returncode == BAD_INPUT
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ["api", "worker", "worker.maintenance.sweeper"])
def test_a_module_does_not_start_with_an_invalid_setting(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module],
        env=environment(EVENKEEL_LOG_LEVEL="LOUD"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == BAD_INPUT
    assert done.stderr == ('EVENKEEL_LOG_LEVEL must be "DEBUG", "INFO", "WARNING" or "ERROR".\n')


def test_a_password_in_a_url_is_hidden() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = evenkeel(
        "db",
        "upgrade",
        EVENKEEL_DATABASE_URL=f"postgresql+psycopg://user:s3cret@127.0.0.1:{port}/name",
    )
    assert done.returncode == BAD_INPUT
    assert "Cannot open the database" in done.stderr
    assert "s3cret" not in done.stderr


def test_the_api_replaces_the_process_that_was_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = f"sqlite:///{tmp_path / 'some.db'}"
    evenkeel("db", "upgrade", EVENKEEL_DATABASE_URL=database)
    settings = environment(EVENKEEL_HOME=str(tmp_path), EVENKEEL_DATABASE_URL=database)
    with subprocess.Popen(
        build_module_command("cli", "api", "--port", str(port)),
        env=settings,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/health"), "no answer")
            assert "-m api" in command_line(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_a_worker_runs_with_its_sweeper_and_ends_on_sigterm(
    tmp_path: Path, redis: RedisServer
) -> None:
    database = f"sqlite:///{tmp_path / 'some.db'}"
    evenkeel("db", "upgrade", EVENKEEL_DATABASE_URL=database)
    output = tmp_path / "output.txt"
    with (
        output.open("w") as stream,
        subprocess.Popen(
            build_module_command("cli", "worker"),
            env=environment(
                EVENKEEL_HOME=str(tmp_path),
                EVENKEEL_DATABASE_URL=database,
                EVENKEEL_REDIS_URL=redis.url,
            ),
            stdout=stream,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            until(
                lambda: "worker" in output.read_text() and "ready" in output.read_text(),
                output.read_text,
            )
            parts = children(process.pid)
            assert sorted(command_line(pid).split()[-1] for pid in parts) == [
                "worker",
                "worker.maintenance.sweeper",
            ]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
    await_end(*parts)


def test_help_imports_no_heavy_module() -> None:
    heavy = "{'torch', 'transformers', 'httpx', 'pydantic', 'sqlalchemy', 'celery', 'fastapi'}"
    source = f"import sys, cli.__main__; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert {"up", "train", "report", "demo"} <= set(evenkeel("--help").stdout.split())
