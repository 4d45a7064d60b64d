"""The sizes of what is in the storage, kept for longer the longer they take to list."""

import threading
import time
from collections.abc import Mapping

from shared.db.storage_sizes import measure_prefixes
from shared.infra.storage import Storage

KEEP_FACTOR = 10.0
"""For how many times the duration of a listing its result is used again: a small storage is listed
at each request, a large one takes at most a tenth of the time."""


class RecentSizes:
    """The latest listing of the storage; requests that come during one wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: Mapping[str, int] = {}
        self._used_until = 0.0

    def get_sizes(self, storage: Storage) -> Mapping[str, int]:
        """Return the bytes below every prefix of the storage. Raises StorageUnavailable."""
        with self._lock:
            started = time.monotonic()
            if started >= self._used_until:
                self._sizes = measure_prefixes(storage)
                now = time.monotonic()
                self._used_until = now + KEEP_FACTOR * (now - started)
            return self._sizes
