"""Work of which only so much is done at a time, and which is refused, not queued, beyond that."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from shared.domain.limit_errors import ServiceBusy

WEIGHT_OF_LATEST: Final = 0.2
"""Of the latest duration in the mean one."""


class LimitedWork:
    """A bound on one kind of work in threads, which knows how long the work usually takes."""

    def __init__(self, description: str, most: int) -> None:
        self._description = description
        self._most = most
        self._lock = Lock()
        self._starts: dict[object, float] = {}
        """When each running work began, the longest running first."""
        self._mean_s = 0.0

    @contextmanager
    def begin(self, param: str | None = None) -> Iterator[None]:
        """Count the work of the block. Raises ServiceBusy if as much is being done already."""
        work = object()
        with self._lock:
            if len(self._starts) >= self._most:
                raise self._build_busy_error(param)
            self._starts[work] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._record_duration(time.monotonic() - self._starts.pop(work))

    def _record_duration(self, latest_s: float) -> None:
        mean_s = self._mean_s or latest_s
        self._mean_s = mean_s + WEIGHT_OF_LATEST * (latest_s - mean_s)

    def _build_busy_error(self, param: str | None) -> ServiceBusy:
        oldest_s = time.monotonic() - next(iter(self._starts.values()))
        # beyond its usual duration, it may take as long again
        left_s = self._mean_s - oldest_s if oldest_s < self._mean_s else oldest_s
        seconds = max(1.0, left_s)
        return ServiceBusy(
            f"Too many {self._description} are in progress; retry in {math.ceil(seconds)} s.",
            param=param,
            retry_after_s=seconds,
        )
