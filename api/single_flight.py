"""Single flight: callers that ask for the same thing at the same time share one read.

A call during a running read waits for the next read, together with all other calls that arrive
until then. So the load per key is bounded by the duration of a read, not by the number
of callers, and every caller gets a state that is no older than its call.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """Shared reads of one event loop; they run in its threads, at most one per key at a time."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Value]] = {}
        self._pending: dict[str, asyncio.Task[Value]] = {}

    async def get(self, key: str, read: Callable[[], Value]) -> Value:
        """Return what ``read`` returns, or raise what it raises.

        ``read`` starts after this call; all callers of a key must pass equivalent functions.
        """
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._run_after_previous(key, read))
        # shielded: a caller that disconnects must not cancel the read of the others
        return await asyncio.shield(task)

    async def _run_after_previous(self, key: str, read: Callable[[], Value]) -> Value:
        previous = self._running.get(key)
        if previous is not None:
            await asyncio.wait([previous])
        current = self._running[key] = self._pending.pop(key)
        try:
            return await run_in_threadpool(read)
        finally:
            if self._running.get(key) is current:
                del self._running[key]
