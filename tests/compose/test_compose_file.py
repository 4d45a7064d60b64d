"""docker-compose.yml as text: limits, privileges, published ports and passwords."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.embedded_redis import find_redis_server
from tests.processes import until

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
)["services"]
OWN_IMAGE = re.compile(r"evenkeel-(api|worker):\$\{EVENKEEL_TAG:-local\}")
PINNED_IMAGE = re.compile(r"[a-z]+:\$\{[A-Z]+_TAG:-\d+\.\d+(\.\d+)?\}")
PASSWORD = "0123456789abcdef"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits_and_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"]
    assert int(service["pids_limit"]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_the_tag_of_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert PINNED_IMAGE.fullmatch(image) or OWN_IMAGE.fullmatch(image)


def test_only_the_api_is_published_and_on_loopback_by_default() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"api": ["${EVENKEEL_BIND:-127.0.0.1}:${EVENKEEL_PORT:-8000}:8000"]}
    assert not any("network_mode" in service for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_no_password_is_on_a_command_line(name: str) -> None:
    service = SERVICES[name]
    commands = [service.get("command"), service.get("entrypoint"), service.get("healthcheck")]
    # Compose puts the value of a name with one dollar sign there, and leaves $$ to the shell
    assert not re.search(r"(?<!\$)\$\{?\w*PASSWORD", str(commands))


def _start_redis(folder: Path) -> "subprocess.Popen[bytes]":
    """Start a Redis as the container does, with a socket of its own instead of the port."""
    shell, flag, script = SERVICES["redis"]["command"]
    script = script.replace("$$", "$").replace("dir /data", f"dir {folder}")
    script = script.replace("appendonly yes", "port 0\nunixsocket redis.sock\nappendonly yes")
    script = script.replace("redis-server", str(find_redis_server()))
    return subprocess.Popen(
        [shell, flag, script],
        cwd=folder,
        env={"REDIS_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_redis_has_the_commands_of_a_queue_only(tmp_path: Path) -> None:
    from redis import Redis
    from redis.exceptions import AuthenticationError, NoPermissionError

    from shared.infra.broker import JobQueue

    server = _start_redis(tmp_path)
    socket = tmp_path / "redis.sock"
    try:
        until(lambda: socket.exists() or server.poll() is not None, "no socket")
        assert server.poll() is None
        assert PASSWORD not in Path(f"/proc/{server.pid}/cmdline").read_text()
        with pytest.raises(AuthenticationError):
            Redis(unix_socket_path=str(socket)).ping()
        queue = JobQueue(f"redis+socket://:{PASSWORD}@{socket}")
        assert queue.notify(("run.wake", "ftrun-1"))
        with Redis(unix_socket_path=str(socket), password=PASSWORD) as client:
            assert client.llen("evenkeel") == 1
            for command in (
                "FLUSHALL",
                "FLUSHDB",
                "CONFIG GET *",
                "KEYS *",
                "SHUTDOWN NOSAVE",
                "DEBUG SLEEP 0",
                "EVAL 'return 1' 0",
                "MONITOR",
                "SAVE",
                "REPLICAOF a 1",
                "ACL LIST",
            ):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*command.replace("'return 1'", "return(1)").split())
    finally:
        server.kill()
        server.wait()
