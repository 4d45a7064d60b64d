"""The embedded Redis: a real server that is killed and restarted."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from cli import embedded_redis
from cli.embedded_redis import EmbeddedRedis, find_redis_server
from cli.errors import CliError
from tests.processes import until


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "redis"
    folder.mkdir()
    return folder


@contextmanager
def running(server: EmbeddedRedis) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        server.build_command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until(
            lambda: asyncio.run(server.is_ready()) or process.poll() is not None,
            "Redis neither answers nor ends",
        )
        assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def client(server: EmbeddedRedis) -> Iterator["Redis"]:
    with Redis(unix_socket_path=str(server.socket_path)) as connection:
        yield connection


def test_what_was_queued_survives_a_kill(data: Path) -> None:
    with embedded_redis.prepare_embedded_redis(data) as server:
        assert not asyncio.run(server.is_ready())
        with running(server), client(server) as redis:
            redis.rpush("queue", "one")
            until(lambda: redis.info("persistence")["aof_buffer_length"] == 0, "never written")
        with running(server), client(server) as redis:
            assert redis.lrange("queue", 0, -1) == [b"one"]


def test_settings_are_those_of_a_queue(data: Path) -> None:
    with (
        embedded_redis.prepare_embedded_redis(data) as server,
        running(server),
        client(server) as redis,
    ):
        wanted = {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "port": "0",
        }
        assert {name: redis.config_get(name)[name] for name in wanted} == wanted
        assert server.socket_path.stat().st_mode & 0o777 == 0o700
        assert server.socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert server.url == f"redis+socket://{server.socket_path}"
    assert not server.socket_path.parent.exists()


def append_only_file(data: Path) -> Path:
    """Find the file: a single one in Redis 6, the newest increment in a folder since 7."""
    return next(
        file for pattern in ("appendonly.aof", "*/*.incr.aof") for file in data.glob(pattern)
    )


def test_a_truncated_file_is_loaded_up_to_the_last_whole_record(data: Path) -> None:
    with embedded_redis.prepare_embedded_redis(data) as server:
        with running(server) as process, client(server) as redis:
            redis.rpush("queue", "one")
            redis.rpush("queue", "two")
            process.terminate()
            process.wait()
        file = append_only_file(data)
        file.write_bytes(file.read_bytes()[:-5])
        with running(server), client(server) as redis:
            assert redis.lrange("queue", 0, -1) == [b"one"]


def test_a_file_that_cannot_be_loaded_is_set_aside_and_kept(data: Path) -> None:
    with embedded_redis.prepare_embedded_redis(data) as server:
        with running(server) as process, client(server) as redis:
            redis.rpush("queue", "one")
            process.terminate()
            process.wait()
        append_only_file(data).write_bytes(b"\0" * 4096)
        assert (
            subprocess.run(server.build_command(), capture_output=True, check=False).returncode != 0
        )
        server.set_data_aside()
        with running(server), client(server) as redis:
            assert redis.lrange("queue", 0, -1) == []
    assert append_only_file(data.with_name("redis.unreadable")).read_bytes() == b"\0" * 4096


def test_a_long_temporary_folder_does_not_make_the_socket_path_too_long(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with (
        embedded_redis.prepare_embedded_redis(data) as server,
        running(server),
        client(server) as redis,
    ):
        assert redis.ping()


def test_the_socket_folder_of_a_killed_owner_is_removed(data: Path, tmp_path: Path) -> None:
    left, foreign = tmp_path / "evenkeel-left", tmp_path / "evenkeel-foreign"
    for folder in (left, foreign):
        folder.mkdir()
        (folder / "redis.sock").touch()
    (foreign / "somebody's").touch()
    for folder in (left, foreign):
        data.with_name("redis.socket").write_text(str(folder))
        with embedded_redis.prepare_embedded_redis(data):
            pass
    assert not left.exists()
    assert (foreign / "somebody's").exists()
    assert not data.with_name("redis.socket").exists()


def test_a_server_on_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redis-server").write_text("#!/bin/sh\n")
    (tmp_path / "redis-server").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_server() == tmp_path / "redis-server"


def test_a_missing_server_is_reported_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(CliError, match="Install Redis so that `redis-server` is on PATH"):
        find_redis_server()
