"""Memory that the trainers of a machine have reserved for their runs, so that two that start at
the same time do not both count on what is free.

Each reservation is a file that its trainer keeps locked: the system unlocks it when the trainer
dies. What a trainer has reserved but does not yet hold is not free for others.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from shared.infra.machine_memory import read_free_memory, read_resident_memory

_FREE_FOR_OTHERS_BYTES = 64 * 1024 * 1024
"""What a run must leave free."""


class FreeMemory(NamedTuple):
    """What a trainer can count on."""

    bytes: int
    """What its process may use, including what it holds already."""
    others: int
    """Trainers that have reservations, and will give back memory when their runs end."""


class MemoryReservations:
    """The reservation of this process, and those of others in the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: tuple[Path, IO[str]] | None = None

    def reserve(self, needed: int, *, least: int | None = None) -> FreeMemory | None:
        """Reserve memory for a run; return None, or what is free if that is too little.

        Without any other reservation, ``least`` bytes are enough: waiting would not help.
        """
        with self._lock_folder():
            free = self._read_free()
            enough = needed if free.others or least is None else least
            if enough > free.bytes:
                return free
            self._write_reservation(needed)
            return None

    def read_free(self) -> FreeMemory:
        with self._lock_folder():
            return self._read_free()

    def release(self) -> None:
        """Give the reservation back; without one, nothing happens."""
        own, self._own = self._own, None
        if own is not None:
            path, file = own
            path.unlink(missing_ok=True)
            file.close()

    def _read_free(self) -> FreeMemory:
        others = list(self._iterate_others())
        outstanding = sum(max(0, needed - read_resident_memory(pid)) for pid, needed in others)
        free = read_free_memory() - outstanding - _FREE_FOR_OTHERS_BYTES
        return FreeMemory(free + read_resident_memory(os.getpid()), len(others))

    def _iterate_others(self) -> Iterator[tuple[int, int]]:
        """Yield the process and the bytes of other reservations; delete those of dead trainers."""
        for path in self._folder.glob("*.json"):
            if self._own is not None and path == self._own[0]:
                continue
            with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:  # just released
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    content = json.load(file)
                    yield content["pid"], content["bytes"]
                else:
                    path.unlink(missing_ok=True)

    def _write_reservation(self, needed: int) -> None:
        self.release()
        path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.json"
        file = path.open("w", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"pid": os.getpid(), "bytes": needed}, file)
        file.flush()
        self._own = path, file

    @contextmanager
    def _lock_folder(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
