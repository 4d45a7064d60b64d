"""The rows of one request that wait for forward passes of one model."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Protocol

from shared.domain.errors import InvalidRequest

if TYPE_CHECKING:  # numpy is loaded with the first model
    from api.serving.classifier import EncodedRow, Logits


class PassModel(Protocol):
    """What a queue of passes needs of a model."""

    def run_pass(self, rows: Sequence[EncodedRow]) -> Logits:
        """Return logits of shape (rows, outputs) from one forward pass."""


def is_never_gone() -> bool:
    """Say that the client still waits, where nobody can know better."""
    return False


@dataclass(frozen=True)
class Requester:
    """Who waits for predictions, and for how long."""

    owner_id: str
    is_gone: Callable[[], bool] = is_never_gone
    """Whether the client has closed the connection, so that nobody reads the result."""
    patience_s: float | None = None
    """For which it waits for the first pass, once its model is loaded; None waits without limit."""
    deadline: float | None = None
    """When that ends, on the monotonic clock."""

    @property
    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def require_present(self) -> None:
        """Raise InvalidRequest if the client has gone."""
        if self.is_gone():
            raise build_gone_error()

    def start_waiting(self) -> Requester:
        """Return the requester with the deadline that begins now."""
        if self.patience_s is None:
            return self
        return replace(self, deadline=time.monotonic() + self.patience_s)

    def without_deadline(self) -> Requester:
        return replace(self, deadline=None)


def build_gone_error() -> InvalidRequest:
    """Return the error for a client that has closed the connection; nobody reads it."""
    return InvalidRequest("The connection was closed before the texts were classified.")


@dataclass(eq=False)
class PassWork:
    """Rows for one model, in groups that fit into one pass each, and the thread that waits.

    ``wake`` is set when all passes have run, when ``error`` is set, or when it is this thread's
    turn to run the passes (``is_leader``).
    """

    model: PassModel
    rows: Sequence[EncodedRow]
    lengths: Sequence[int]
    """The number of tokens of each row."""
    requester: Requester
    groups: deque[list[int]]
    """Indices of the rows of each pass that has not begun."""
    is_long: bool = field(init=False)
    """Whether it needs more than one pass."""
    has_begun: bool = False
    is_leader: bool = False
    error: Exception | None = None
    wake: Event = field(default_factory=Event)
    results: list[tuple[list[int], Logits]] = field(default_factory=list)
    """The rows of each pass that has ended, and their logits."""
    running_passes: int = 0

    def __post_init__(self) -> None:
        self.is_long = len(self.groups) > 1

    @property
    def is_done(self) -> bool:
        return self.error is not None or not (self.groups or self.running_passes)

    def take_group(self) -> list[int]:
        """Return the rows of the next pass, which now counts as running."""
        self.has_begun = True
        self.running_passes += 1
        return self.groups.popleft()

    def store(self, group: list[int], logits: Logits) -> None:
        """Store the logits of a pass that has ended."""
        self.results.append((group, logits))
        self.running_passes -= 1  # last, because the waiting thread may look at any time

    def fail(self, error: Exception) -> None:
        """Give up the passes that have not begun."""
        self.error = error
        self.groups.clear()
