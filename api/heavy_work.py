"""Heavy work in threads of its own, admitted without blocking.

A request that reads users' files lasts seconds to minutes. It waits for its turn in the event loop,
without a thread, and works in a thread that polls, lists and health checks never use. If too many
wait already, it is refused at once, and told when the queue of now will have been served. Owners
take turns (``api.fair_turns``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from api.fair_turns import FairTurns
from api.middleware.body_turns import release_body_turn
from shared.timings import CLASSIFICATION_WAIT_S, LONG_CLASSIFICATION_WAIT_S

P = ParamSpec("P")
R = TypeVar("R")


class HeavyLane:
    """One kind of heavy work: how much of it runs at a time, how much may wait, and how long."""

    def __init__(
        self, description: str, running: int, waiting: int, *, max_wait_s: float | None = None
    ) -> None:
        self._running = running
        self._turns = FairTurns(description, running, waiting, max_wait_s=max_wait_s)
        self._limiter: CapacityLimiter | None = None

    async def run(
        self, owner_id: str, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run ``work`` for an owner in a thread of this lane.

        Raises ServiceBusy if too many wait already, or if its turn does not come in time.
        """
        if self._limiter is None:  # belongs to an event loop, so it is made in one
            self._limiter = CapacityLimiter(self._running)
        release_body_turn()
        with await self._turns.take(owner_id):
            return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=self._limiter)


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
