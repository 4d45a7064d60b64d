"""A real API process for hostile clients, and the clients."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from benchmarks.api_process import run_api
from shared.db.migrate import apply_migrations
from tests.processes import until

TIMEOUT_S = 120.0
"""Ends a broken test; a busy machine may be slow."""
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class RunningApi:
    """An API process on this machine, without keys."""

    port: int
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S)

    def exchange(self, request: bytes) -> bytes:
        """Send the bytes on a new connection, and return everything that comes back."""
        with closing(self.connect()) as client:
            send_all(client, request)
            return read_all(client)

    def is_healthy(self) -> bool:
        return self.exchange(HEALTH).startswith(b"HTTP/1.1 200")

    def measure_memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        return int(self.process.memory_info().rss)


@contextmanager
def running_api(
    home: Path, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[RunningApi]:
    """Run an API process in a new home, with the defaults for all other settings."""
    url = f"sqlite:///{home / 'test.db'}"
    apply_migrations(url)
    with run_api(home, url, settings) as port:
        command = "-m api"
        own = [
            child
            for child in psutil.Process().children()
            if command in " ".join(child.cmdline()) and str(home) in child.environ().values()
        ]
        yield RunningApi(port, own[0])


def send_all(client: socket.socket, data: bytes) -> bool:
    """Send the bytes; False if the server has closed the connection before the last one."""
    try:
        client.sendall(data)
    except OSError:
        return False
    return True


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the server closes the connection. Raises TimeoutError."""
    received = b""
    try:
        while chunk := client.recv(65_536):
            received += chunk
    except ConnectionError:
        pass  # a reset is an end too
    return received


def await_closed(clients: list[socket.socket]) -> list[bytes]:
    """Return what each client got until its connection was closed."""
    received: list[bytes] = []
    for client in clients:
        received.append(read_all(client))
        client.close()
    return received


def await_descriptors(api: RunningApi, most: int) -> None:
    until(
        lambda: api.process.num_fds() <= most,
        lambda: f"{api.process.num_fds()} open files",
        seconds=TIMEOUT_S,
    )
