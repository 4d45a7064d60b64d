"""Requests begin a few per round of the event loop, so that a burst holds nothing else up.

Hundreds of requests that arrive at once would otherwise all begin in one round, and what comes
next, such as a health check, would wait for every one of them at each of its own steps.
"""

import asyncio
from collections import deque
from typing import Final

REQUESTS_PER_ROUND: Final = 4
"""Each costs about a millisecond until it waits for something."""


class RequestPacer:
    """Turns of one event loop, in order of arrival. Nobody waits unless there is a burst."""

    def __init__(self, per_round: int = REQUESTS_PER_ROUND) -> None:
        self._per_round = per_round
        self._begun = 0
        """Requests that have begun in this round."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_scheduled = False

    async def take_turn(self) -> None:
        """Return when a request may begin."""
        loop = asyncio.get_running_loop()
        if not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._begin_round)
        if self._begun < self._per_round and not self._waiting:
            self._begun += 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin_round(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < self._per_round:
            turn = self._waiting.popleft()
            if not turn.done():  # its client has gone
                turn.set_result(None)
                self._begun += 1
        self._is_scheduled = self._begun > 0
        if self._is_scheduled:
            asyncio.get_running_loop().call_soon(self._begin_round)
