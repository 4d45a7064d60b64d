"""Disk space kept for deletions: SQLite needs room for its journal even to delete.

A file beside the database holds the space. When a deletion finds the disk full, the file is
removed, the deletion repeated, and the file made again once there is room.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from shared.infra.storage_errors import is_disk_full

log = logging.getLogger(__name__)
Result = TypeVar("Result")

RESERVE_BYTES: Final = 32 * 1024**2
"""The journal of deleting a job of a few million points."""


class DiskReserve:
    """The reserve beside a database's file; None, and without effect, for a server."""

    def __init__(self, database_file: Path | None) -> None:
        self._path = database_file and database_file.with_name(f"{database_file.name}.reserve")

    def fill(self) -> None:
        """Take the space, unless it is taken; a disk without it is only logged."""
        if self._path is None or self._path.exists():
            return
        partial = self._path.with_name(f"{self._path.name}.partial")
        try:
            with partial.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
                else:  # macOS
                    file.write(bytes(RESERVE_BYTES))
            partial.replace(self._path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            log.warning("disk_reserve_missing error=%s", error)

    def run_deletion(self, delete: Callable[[], Result]) -> Result:
        """Call ``delete``, and once more with the reserved space if the disk is full.

        ``delete`` must be safe to repeat: what failed was rolled back.
        """
        try:
            result = delete()
        except Exception as error:
            if not is_disk_full(error) or self._path is None or not self._path.exists():
                raise
            log.warning("disk_reserve_used error=%s", error)
            self._path.unlink(missing_ok=True)
            result = delete()
        self.fill()
        return result
