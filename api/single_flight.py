"""Many callers, one read: what is asked for again while it is being read is read once more, for
all who asked meanwhile.

So the work for a thing that many poll is bounded by how long one read takes, not by how many
ask; and every caller gets what was true after it asked, as if it had read alone.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """Belongs to one event loop; the reads themselves run in its threads, at most one a key at
    a time.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Value]] = {}
        self._pending: dict[str, asyncio.Task[Value]] = {}

    async def get(self, key: str, read: Callable[[], Value]) -> Value:
        """What ``read`` returns or raises, called after this call and perhaps shared with
        others that came as early.

        The callers of one key must mean the same by ``read``.
        """
        task = self._pending.get(key)
        if task is None:
            task = self._pending[key] = asyncio.create_task(self._run_after_previous(key, read))
        return await asyncio.shield(
            task
        )  # one caller that goes away must not take the others' answer along

    async def _run_after_previous(self, key: str, read: Callable[[], Value]) -> Value:
        before = self._running.get(key)
        if before is not None:
            await asyncio.wait([before])
        mine = self._running[key] = self._pending.pop(key)
        try:
            return await run_in_threadpool(read)
        finally:
            if self._running.get(key) is mine:
                del self._running[key]
