"""The data folder of ``evenkeel up``: everything that survives a restart, locked by one owner."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError

PRIVATE_MODE = 0o700


@dataclass(frozen=True)
class DataDir:
    """Paths inside the data folder; ``open_data_dir`` creates and locks it."""

    folder: Path

    @property
    def redis_folder(self) -> Path:
        """Folder of the queue's append-only file, which holds nothing that the database lacks."""
        return self.folder / "redis"

    @property
    def logs_folder(self) -> Path:
        return self.folder / "logs"

    @property
    def url_file(self) -> Path:
        """File with the URL of a ready service, for programs that started it with port 0."""
        return self.folder / "url"

    def write_url(self, url: str) -> None:
        """Write the URL atomically."""
        unfinished = self.folder / "url.new"
        unfinished.write_text(f"{url}\n", encoding="ascii")
        unfinished.replace(self.url_file)

    @property
    def lock_file(self) -> Path:
        return self.folder / "lock"


@contextmanager
def open_data_dir(folder: Path) -> Iterator[DataDir]:
    """Create the folder, readable by its owner only, and hold its lock.

    The kernel releases the lock (flock) however the owner ends; the process id in the file is for
    people. Raises CliError if the folder cannot be created or is locked.
    """
    home = DataDir(folder.expanduser().absolute())
    with explain_unusable_folder(home.folder):
        home.folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        for part in (home.redis_folder, home.logs_folder):
            part.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire_lock(descriptor, home)
        home.url_file.unlink(missing_ok=True)  # a killed owner leaves its file behind
        try:
            yield home
        finally:
            home.url_file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


@contextmanager
def explain_unusable_folder(folder: Path) -> Iterator[None]:
    """Raise CliError for an OSError on the data folder."""
    try:
        yield
    except OSError as error:
        raise CliError(
            f"Cannot use the data folder {folder} ({error.strerror}). Choose another one with "
            "--home."
        ) from error


def _acquire_lock(descriptor: int, home: DataDir) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise CliError(
            f"{home.folder} is in use by another `evenkeel up` (process {owner}). Stop that "
            "process, or choose another folder with --home."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
