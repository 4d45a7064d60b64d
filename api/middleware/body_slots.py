"""Slots for requests with large bodies, which bound what these cost together.

A request that waits for a slot costs no memory: while nobody reads its body, the server does not
take it from the network, or it lies in a temporary file.
"""

import asyncio
from types import TracebackType
from typing import Self

from shared.domain.limit_errors import ServiceBusy


class Slot:
    """A slot that a request has; as a context manager, released at its end at the latest."""

    def __init__(self, semaphore: asyncio.Semaphore) -> None:
        self._semaphore = semaphore
        self._is_released = False

    def release(self) -> None:
        """Let the next request in; further calls have no effect."""
        if not self._is_released:
            self._is_released = True
            self._semaphore.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class BodySlots:
    """As many slots as requests may be served at a time; the others wait in order of arrival."""

    def __init__(self, size: int, wait_seconds: float) -> None:
        self._semaphore = asyncio.Semaphore(size)
        self._wait_seconds = wait_seconds

    async def take(self) -> Slot:
        """Wait for a slot. Raises ServiceBusy if none gets free in time."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._semaphore.acquire()
        except TimeoutError:
            raise ServiceBusy(
                "Too many large requests are being received; retry shortly."
            ) from None
        return Slot(self._semaphore)
