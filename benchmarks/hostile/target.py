"""The attacked API process, and plain connections to it that may send anything."""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import psutil

from benchmarks.api_process import run_api
from shared.db.migrate import apply_migrations

TIMEOUT_S = 120.0
"""Of one connection: a busy machine may be slow, but nothing waits for ever."""
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
OWN_ADDRESS = "127.0.0.1"
BOUNDARY = b"hostile"


class Response(NamedTuple):
    """What came back; status 0 if the connection was closed without a response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def read_json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningApi:
    """An API process on this machine."""

    port: int
    process: psutil.Process
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, source: str = OWN_ADDRESS) -> socket.socket:
        """Connect from one of the addresses of this machine."""
        return socket.create_connection(
            ("127.0.0.1", self.port), timeout=TIMEOUT_S, source_address=(source, 0)
        )

    def exchange(self, request: bytes) -> bytes:
        """Send the bytes on a new connection, and return everything that comes back."""
        with closing(self.connect()) as client:
            send_all(client, request)
            return read_all(client)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
        source: str = OWN_ADDRESS,
    ) -> Response:
        """Send a request on a connection of its own; the parts of the body are not joined."""
        parts = list(body)
        fields = {
            "host": "localhost",
            "connection": "close",
            "content-length": str(sum(map(len, parts))),
            **headers,
        }
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in fields.items()
        )
        with closing(self.connect(source)) as client:
            all(send_all(client, part) for part in [head.encode() + b"\r\n", *parts])
            return parse_response(read_all(client))

    def is_healthy(self) -> bool:
        return self.exchange(HEALTH).startswith(b"HTTP/1.1 200")

    def measure_memory(self) -> int:
        """Return the resident memory of the process in bytes."""
        return int(self.process.memory_info().rss)

    def measure_wait(self) -> float:
        """Return the seconds for which the event loop's thread has waited for a core."""
        path = Path(f"/proc/{self.process.pid}/schedstat")
        return int(path.read_text(encoding="utf-8").split()[1]) / 1e9

    def measure_cpu(self) -> float:
        """Return the seconds of processor time that the process has used."""
        return float(sum(self.process.cpu_times()[:2]))


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
        yield RunningApi(port, own[0], home / "api.log")


def build_multipart(content: Iterable[bytes], name: str = "data.csv") -> list[bytes]:
    """Return the parts of a body with one file."""
    head = (
        b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n" % (BOUNDARY, name.encode())
    )
    return [head, *content, b"\r\n--%s--\r\n" % BOUNDARY]


MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}


def send_all(client: socket.socket, data: bytes) -> bool:
    """Send the bytes; False if the server has closed the connection before the last one."""
    try:
        client.sendall(data)
    except OSError:
        return False
    return True


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the server closes the connection. Raises TimeoutError."""
    received: list[bytes] = []
    try:
        while chunk := client.recv(65_536):
            received.append(chunk)
    except ConnectionError:
        pass  # a reset is an end too
    return b"".join(received)


def parse_response(received: bytes) -> Response:
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return Response(0, {}, received)
    fields = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return Response(
        int(head[9:12]), {name.lower(): value.strip() for name, _, value in fields}, body
    )
