"""Real servers for the tests, from wheels: a Redis and a PostgreSQL of the test session's own,
on private sockets and free ports.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from benchmarks.servers import PostgresServer, find_free_port, run_postgres_server, wait_until
from cli.embedded_redis import find_redis_server

__all__ = [
    "PostgresServer",
    "RedisServer",
    "find_free_port",
    "redis_server",
    "run_postgres_server",
    "wait_until",
]


class RedisServer:
    """A redis-server that a test can kill and start again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        command = [
            str(find_redis_server()),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(self._folder),
        ]
        with (self._folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--appendonly", "yes", "--save", ""], stdout=log, stderr=log
            )
        wait_until(self._answers, description="redis")

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except (RedisError, OSError):
            return False

    def client(self) -> "Redis":
        return Redis(unix_socket_path=str(self.socket), socket_timeout=2)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """Run a Redis in a folder of its own while the block runs."""
    # not below pytest's own folder: the path of a unix socket may have 107 bytes
    with tempfile.TemporaryDirectory(prefix="evenkeel-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()
