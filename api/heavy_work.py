"""Heavy work in threads of its own, admitted without blocking.

A request that reads users' files lasts seconds to minutes. It waits for its turn in the event loop,
without a thread, and works in a thread that polls, lists and health checks never use. If too many
wait already, it is refused at once, and told when the queue of now will have been served.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from shared.domain.limit_errors import ServiceBusy
from shared.timings import CLASSIFICATION_WAIT_S, LONG_CLASSIFICATION_WAIT_S

P = ParamSpec("P")
R = TypeVar("R")
WEIGHT_OF_LATEST = 0.2
"""Of the latest duration in the mean one."""
MAX_RETRY_AFTER_S = 600.0


class HeavyLane:
    """One kind of heavy work: how much of it runs at a time, how much may wait, and how long."""

    def __init__(
        self, description: str, running: int, waiting: int, *, max_wait_s: float | None = None
    ) -> None:
        self._description = description
        self._running = running
        self._most = running + waiting
        self._max_wait_s = max_wait_s
        self._count = 0
        self._turns = asyncio.Semaphore(running)
        self._limiter: CapacityLimiter | None = None
        self._mean_s = 0.0
        self._starts: dict[object, float] = {}
        """When each running work began, the longest running first."""

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``work`` in a thread of this lane.

        Raises ServiceBusy if too many wait already, or if its turn does not come in time.
        """
        if self._count >= self._most:
            raise self._build_busy_error()
        if self._limiter is None:  # belongs to an event loop, so it is made in one
            self._limiter = CapacityLimiter(self._running)
        self._count += 1
        try:
            async with self._take_turn():
                return await to_thread.run_sync(
                    partial(work, *args, **kwargs), limiter=self._limiter
                )
        finally:
            self._count -= 1

    @asynccontextmanager
    async def _take_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise self._build_busy_error() from None
        turn = object()
        self._starts[turn] = time.monotonic()
        try:
            yield
        finally:
            self._turns.release()
            self._record_duration(time.monotonic() - self._starts.pop(turn))

    def _record_duration(self, latest_s: float) -> None:
        mean_s = self._mean_s or latest_s
        self._mean_s = mean_s + WEIGHT_OF_LATEST * (latest_s - mean_s)

    def _build_busy_error(self) -> ServiceBusy:
        seconds = self._estimate_wait()
        return ServiceBusy(
            f"Too many {self._description} are waiting; retry in {math.ceil(seconds)} s.",
            retry_after_s=seconds,
        )

    def _estimate_wait(self) -> float:
        """Estimate the seconds until all that runs or waits now has been served, at least 1.

        Work that has run for longer than the mean counts as typical: before the first one has
        ended, nothing else is known.
        """
        oldest_start = next(iter(self._starts.values()), None)
        oldest_s = 0.0 if oldest_start is None else time.monotonic() - oldest_start
        seconds = self._count * max(self._mean_s, oldest_s) / self._running
        return min(max(1.0, seconds), MAX_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class HeavyWork:
    """The lanes of a process. Kinds that people wait for do not wait for one another."""

    uploads: HeavyLane = field(default_factory=lambda: HeavyLane("uploads", 4, 96))
    """Received files: checked and stored."""
    jobs: HeavyLane = field(default_factory=lambda: HeavyLane("new jobs", 6, 64))
    """Jobs that are created; more threads than hub downloads may have."""
    plans: HeavyLane = field(default_factory=lambda: HeavyLane("previews and dry runs", 2, 14))
    """What changes nothing: dry runs, previews, checks of a file."""
    classifications: HeavyLane = field(
        default_factory=lambda: HeavyLane(
            "classifications", 64, 192, max_wait_s=CLASSIFICATION_WAIT_S
        )
    )
    """A few texts. Threads that wait for a forward pass compute nothing, and the more of them wait,
    the more texts share a pass."""
    long_classifications: HeavyLane = field(
        default_factory=lambda: HeavyLane(
            "files and long lists to classify", 8, 24, max_wait_s=LONG_CLASSIFICATION_WAIT_S
        )
    )
    """Files and long lists of texts, which have many forward passes and take memory."""
    stops: HeavyLane = field(default_factory=lambda: HeavyLane("cancelled jobs", 16, 112))
    """Requests that wait for trainings to stop. They compute nothing, but take a thread."""
