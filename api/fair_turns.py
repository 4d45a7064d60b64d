"""Turns for work of which only some may run at a time; owners take turns, and share the queue.

Who waits is served round-robin between owners, those with less running work first. If the queue is
full, a newcomer takes the place of the latest request of the owner with the most places, unless
that owner would then have fewer than the newcomer's. So one owner may use all of it while nobody
else comes, and never keeps anybody out.
"""

import asyncio
import math
import time
from collections import Counter, deque
from types import TracebackType
from typing import Final, Self

from shared.domain.limit_errors import ServiceBusy

WEIGHT_OF_LATEST: Final = 0.2
"""Of the latest duration in the mean one."""
MAX_RETRY_AFTER_S: Final = 600.0


class Turn:
    """A turn that a request has; as a context manager, released at its end at the latest."""

    def __init__(self, turns: "FairTurns", owner_id: str) -> None:
        self._turns = turns
        self._is_released = False
        self.owner_id = owner_id
        self.started_at = time.monotonic()

    def release(self) -> None:
        """Let the next request run; further calls have no effect."""
        if not self._is_released:
            self._is_released = True
            self._turns.end_turn(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class FairTurns:
    """The turns of one kind of work, in one event loop."""

    def __init__(
        self,
        description: str,
        running: int,
        waiting: int | None = None,
        *,
        max_wait_s: float | None = None,
    ) -> None:
        """``waiting`` is how many requests may wait, None for as many as come."""
        self._description = description
        self._most_running = running
        self._most_waiting = waiting
        self._max_wait_s = max_wait_s
        self._running: dict[Turn, None] = {}
        """The longest running first."""
        self._waiting: dict[str, deque[asyncio.Future[Turn]]] = {}
        self._latest_turns: dict[str, int] = {}
        """The number of each owner's latest turn."""
        self._turn_count = 0
        self._mean_s = 0.0

    async def take(self, owner_id: str) -> Turn:
        """Wait for a turn.

        Raises ServiceBusy if too many wait already, if another owner needs the place, or if the
        turn does not come in time.
        """
        if len(self._running) < self._most_running:  # then nobody waits
            return self._begin_turn(owner_id)
        if self._most_waiting is not None and self._count_waiting() >= self._most_waiting:
            self._make_room(owner_id)
        turn: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(owner_id, deque()).append(turn)
        try:
            async with asyncio.timeout(self._max_wait_s):
                return await turn
        except BaseException as error:
            busy_error = self._build_busy_error()
            self._give_up(owner_id, turn)
            if isinstance(error, TimeoutError):
                raise busy_error from None
            raise

    def end_turn(self, turn: Turn) -> None:
        """Record how long a turn has lasted, and begin the next one."""
        del self._running[turn]
        latest_s = time.monotonic() - turn.started_at
        mean_s = self._mean_s or latest_s
        self._mean_s = mean_s + WEIGHT_OF_LATEST * (latest_s - mean_s)
        self._begin_next()

    def _begin_turn(self, owner_id: str) -> Turn:
        turn = Turn(self, owner_id)
        self._running[turn] = None
        self._turn_count += 1
        self._latest_turns[owner_id] = self._turn_count
        return turn

    def _begin_next(self) -> None:
        running = self._count_running()
        while self._waiting:
            owner_id = min(
                self._waiting, key=lambda owner: (running[owner], self._latest_turns.get(owner, 0))
            )
            next_turn = self._waiting[owner_id][0]
            self._remove_waiting(owner_id, next_turn)
            if not next_turn.done():  # cancelled, by a timeout or with its request
                next_turn.set_result(self._begin_turn(owner_id))
                return
        if not self._running:
            self._latest_turns.clear()

    def _make_room(self, owner_id: str) -> None:
        """Refuse the latest waiting request of the owner with the most places.

        Raises ServiceBusy if that would not make the shares more equal.
        """
        places = self._count_running()
        places.update({owner: len(waiting) for owner, waiting in self._waiting.items()})
        crowding = max(self._waiting, key=lambda owner: places[owner], default=None)
        if crowding is None or places[crowding] <= places[owner_id] + 1:
            raise self._build_busy_error()
        refused = self._waiting[crowding][-1]
        self._remove_waiting(crowding, refused)
        if not refused.done():
            refused.set_exception(self._build_busy_error())

    def _give_up(self, owner_id: str, turn: asyncio.Future[Turn]) -> None:
        """Remove a request that waits no longer; a turn that it got meanwhile is passed on."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            turn.result().release()
        else:
            self._remove_waiting(owner_id, turn)

    def _remove_waiting(self, owner_id: str, turn: asyncio.Future[Turn]) -> None:
        waiting = self._waiting.get(owner_id)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[owner_id]

    def _count_running(self) -> Counter[str]:
        return Counter(turn.owner_id for turn in self._running)

    def _count_waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

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
        oldest = next(iter(self._running), None)
        oldest_s = 0.0 if oldest is None else time.monotonic() - oldest.started_at
        count = len(self._running) + self._count_waiting()
        seconds = count * max(self._mean_s, oldest_s) / self._most_running
        return min(max(1.0, seconds), MAX_RETRY_AFTER_S)
