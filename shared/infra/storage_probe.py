"""A check that the storage can be used, in bounded time."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final

from shared.infra.storage import Storage
from shared.infra.storage_errors import StorageFull, StorageUnavailable

PROBE_KEY: Final = "files/probe"
"""Key of no blob: asking for it needs access and moves no bytes."""
PROBE_TIMEOUT_S: Final = 3.0
PROBE_INTERVAL_S: Final = 2.0
"""For which a result is used again: health checks may come at any rate."""
MIN_FREE_BYTES: Final = 16 * 1024**2


class StorageProbe:
    """The latest check of a storage. At most one is in progress, however long it takes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="storage-probe")
        self._lock = Lock()
        self._latest: Future[None] | None = None
        self._started_at = 0.0

    def check(self) -> None:
        """Raise StorageUnavailable, or StorageFull if the disk has hardly any room."""
        latest = self._get_latest()
        try:
            latest.result(PROBE_TIMEOUT_S)
        except TimeoutError:
            raise StorageUnavailable("The storage does not respond.") from None

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _get_latest(self) -> Future[None]:
        with self._lock:
            latest, now = self._latest, time.monotonic()
            is_old = now - self._started_at > PROBE_INTERVAL_S
            if latest is None or (latest.done() and is_old):
                latest = self._latest = self._executor.submit(self._probe)
                self._started_at = now
            return latest

    def _probe(self) -> None:
        self._storage.exists(PROBE_KEY)
        free = self._storage.measure_free_bytes()
        if free is not None and free < MIN_FREE_BYTES:
            raise StorageFull("The disk of the storage is full.")
