"""The home folder of the embedded stack: all that survives a restart, and the lock that keeps
it to one owner.
"""

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
    """Paths below one folder. ``open_data_dir`` makes it and takes its lock."""

    folder: Path

    @property
    def redis_folder(self) -> Path:
        """The queue's append-only file; nothing that the database does not know as well."""
        return self.folder / "redis"

    @property
    def logs_folder(self) -> Path:
        return self.folder / "logs"

    @property
    def url_file(self) -> Path:
        """Holds the service's URL while it is ready, for programs that started it with port 0."""
        return self.folder / "url"

    def write_url(self, url: str) -> None:
        """Write the URL, whole or not at all."""
        unfinished = self.folder / "url.new"
        unfinished.write_text(f"{url}\n", encoding="ascii")
        unfinished.replace(self.url_file)

    @property
    def lock_file(self) -> Path:
        return self.folder / "lock"


@contextmanager
def open_data_dir(folder: Path) -> Iterator[DataDir]:
    """Make the folder, readable for its owner only, and hold its lock; raises CliError when it
    cannot be had.

    The lock is the kernel's (flock): it ends with its owner, however the owner ends. The pid
    inside is for people.
    """
    home = DataDir(folder.expanduser().absolute())
    try:
        home.folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
        for part in (home.redis_folder, home.logs_folder):
            part.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        descriptor = os.open(home.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CliError(
            f"The home folder {home.folder} cannot be used ({error.strerror}); choose "
            "another with --home DIR."
        ) from error
    try:
        _acquire_lock(descriptor, home)
        home.url_file.unlink(missing_ok=True)  # left by a killed owner
        try:
            yield home
        finally:
            home.url_file.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _acquire_lock(descriptor: int, home: DataDir) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise CliError(
            f"{home.folder} is in use by another `evenkeel up` (process {owner}); "
            "stop that one, or choose another home with --home DIR."
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
