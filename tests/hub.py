"""A simulated hub: an HTTP server with the endpoints from which data sets and models are read, and
with failures on request.
"""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub_models import ModelHub, Reply


@dataclass
class DatasetRepository:
    """A data set on the simulated hub."""

    files: Mapping[str, bytes]
    card: dict[str, Any] | None = None
    message: str = "first"
    """Commit message; with another one, the same files are another commit."""
    revisions: tuple[str, ...] = ("main",)
    gated: bool = False

    @property
    def commit(self) -> str:
        return hashlib.sha1(
            repr((self.message, self.card, self.files)).encode(), usedforsecurity=False
        ).hexdigest()

    def build_description(self) -> dict[str, Any]:
        listed = [
            {
                "rfilename": path,
                "size": len(content),
                "lfs": {"sha256": hashlib.sha256(content).hexdigest()},
            }
            for path, content in {"README.md": b"# Data\n", **self.files}.items()
        ]
        return {
            "id": "played",
            "sha": self.commit,
            "siblings": listed,
            "cardData": self.card,
            "private": False,
        }


@dataclass
class PlayedHub:
    url: str = ""
    repositories: dict[str, DatasetRepository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    """Redirects (307) by path."""
    instead: dict[str, bytes] = field(default_factory=dict)
    """Response bodies by path, in place of the real ones."""
    cut: set[str] = field(default_factory=set)
    """Paths whose body ends before its declared length."""
    drip_s: float = 0.0
    """Seconds between the bytes of a file."""
    gate: threading.Event = field(default_factory=threading.Event)
    """Files are sent only while it is set, which is the default."""
    models: ModelHub = field(default_factory=ModelHub)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate.set()

    def downloads(self) -> list[str]:
        return [path for path in self.asked if "/resolve/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: PlayedHub

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.hub.asked.append(path)
        self.hub.authorizations.append(self.headers["authorization"])
        if path in self.hub.moved:
            self._answer(307, b"", location=self.hub.moved[path])
        elif path in self.hub.instead:
            self._answer(200, self.hub.instead[path])
        elif (reply := self.hub.models.reply(path, dict(self.headers))) is not None:
            self._send(reply)
        elif path.startswith("/api/datasets/"):
            assert parts.query == "blobs=true"
            self._describe(path.removeprefix("/api/datasets/"))
        else:
            self._file(path.removeprefix("/datasets/"))

    def _describe(self, path: str) -> None:
        name, _, revision = path.partition("/revision/")
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._answer(401, b'{"error":"Invalid username or password."}')
        elif repository.gated:
            self._answer(403, b"{}", error="GatedRepo")
        elif revision and revision not in (*repository.revisions, repository.commit):
            self._answer(404, b"{}", error="RevisionNotFound")
        else:
            self._answer(200, json.dumps(repository.build_description()).encode())

    def _file(self, path: str) -> None:
        self.hub.gate.wait(60)
        name, _, rest = path.partition("/resolve/")
        commit, _, file = rest.partition("/")
        repository = self.hub.repositories[name]
        assert commit == repository.commit  # never a branch, which may move meanwhile
        self._answer(200, repository.files[file], slowly=True)

    def _answer(
        self, status: int, body: bytes, *, slowly: bool = False, location: str = "", error: str = ""
    ) -> None:
        self.send_response(status)
        for name, value in (("location", location), ("x-error-code", error)):
            if value:
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.path in self.hub.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        try:
            for at in range(0, len(body), 100) if slowly and self.hub.drip_s else ():
                self.wfile.write(body[at : at + 100])
                time.sleep(self.hub.drip_s)
            if not (slowly and self.hub.drip_s):
                self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # the other side has given up, as it may

    def _send(self, reply: Reply) -> None:
        self.hub.gate.wait(60)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(reply.declared_length))
        self.end_headers()
        try:
            for chunk in reply.chunks():
                self.wfile.write(chunk)
                self.wfile.flush()
        except ConnectionError:
            self.close_connection = True  # the other side has given up, as it may
        if reply.is_short:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client may hang up
            super().handle_error(request, client_address)


@contextmanager
def played_hub() -> Iterator[PlayedHub]:
    hub = PlayedHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with _Server(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
