"""Whether the client of a request still waits for the response."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

WATCH_AFTER_S = 0.25
"""Age from which a request is watched, so that short ones do not pay for it."""


class ClientWatch:
    """A context of a request, in the event loop, that notices when its connection is closed.

    The body must have been received.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_gone = False
        self._task: asyncio.Task[None] | None = None

    def is_gone(self) -> bool:
        """Whether the client has closed the connection; may be called from any thread."""
        return self._is_gone

    def __enter__(self) -> Self:
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
