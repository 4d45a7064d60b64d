"""Whatever keeps ``evenkeel up`` from starting is reported in one line, with the remedy."""

import socket
import sqlite3
from pathlib import Path

import pytest

from cli import up
from cli.data_dir import open_data_dir
from cli.errors import BAD_INPUT, CliError
from tests.cli.stack import evenkeel


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_port_0_picks_a_free_port(host: str) -> None:
    try:
        listener = up.open_listener(host, 0)
    except CliError:
        if host != "::1":
            raise
        pytest.skip("this machine has no IPv6")
    with listener, socket.create_connection(listener.getsockname()[:2], timeout=5):
        assert up.get_listener_url(listener).startswith("http://")
        assert up.get_listener_url(listener).endswith(f":{listener.getsockname()[1]}")


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = evenkeel("up", "--home", str(tmp_path), "--port", str(port))
    assert done.returncode == BAD_INPUT
    assert done.stderr == (
        f"Error: Cannot listen on port {port} of 127.0.0.1 (Address already in use). Choose "
        "another port with --port, or let --port 0 pick a free one.\n"
    )
    assert not (tmp_path / "evenkeel.db").exists()


def test_a_data_folder_in_use(tmp_path: Path) -> None:
    with open_data_dir(tmp_path):
        done = evenkeel("up", "--home", str(tmp_path), "--port", "0")
    assert done.returncode == BAD_INPUT
    assert done.stderr.startswith(f"Error: {tmp_path} is in use by another `evenkeel up` (process ")
    assert done.stderr.count("\n") == 1


def test_refuses_other_machines_without_a_key() -> None:
    done = evenkeel("up", "--host", "0.0.0.0", EVENKEEL_API_KEY="")
    assert done.returncode == BAD_INPUT
    assert done.stderr == (
        "Error: Evenkeel does not serve 0.0.0.0 without an API key, because anyone who reaches "
        "that address could use it. "
        "Create a key (evenkeel keys create NAME) or set EVENKEEL_API_KEY, or serve 127.0.0.1.\n"
    )


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "WORKER_PACKAGES", ("json", "no_such_package", "nor_this"))
    with pytest.raises(
        CliError, match=r"\(no_such_package, nor_this\)\. .* pip install 'evenkeel\[worker\]'"
    ) as caught:
        up.require_worker_packages()
    assert caught.value.exit_code == BAD_INPUT


def test_refuses_an_unknown_address(tmp_path: Path) -> None:
    done = evenkeel(
        "up",
        "--home",
        str(tmp_path),
        "--host",
        "no.such.host.invalid",
        EVENKEEL_API_KEY="a-secret-of-the-tests",
    )
    assert done.returncode == BAD_INPUT
    assert "'no.such.host.invalid' is not an address of this machine" in done.stderr


def test_refuses_a_database_of_a_newer_version(tmp_path: Path) -> None:
    up.prepare_database(f"sqlite:///{tmp_path / 'evenkeel.db'}")
    with sqlite3.connect(tmp_path / "evenkeel.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    done = evenkeel("up", "--home", str(tmp_path), "--port", "0")
    assert done.returncode == BAD_INPUT
    assert "of a newer Evenkeel" in done.stderr
    assert done.stderr.count("\n") == 1


def test_refuses_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "evenkeel.db").write_bytes(
        b"not a database, but long enough to be read as the head of one" * 100
    )
    done = evenkeel("up", "--home", str(tmp_path), "--port", "0")
    assert done.returncode == BAD_INPUT
    assert "file is not a database" in done.stderr
    assert done.stderr.count("\n") == 1
