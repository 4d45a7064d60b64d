"""How following a run can end, as the trainer or its supervisor tells it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors import Reason


class StopReason(StrEnum):
    CANCELLED = "cancelled"
    TIME_LIMIT = "time_limit"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True)
class Finished:
    result: dict[str, Any]
    """The trainer's ``finished`` event."""


@dataclass(frozen=True)
class Paused:
    result: dict[str, Any]
    """The trainer's ``paused`` event."""


@dataclass(frozen=True)
class Scored:
    result: dict[str, Any]
    """The trainer's ``baselines`` event."""


@dataclass(frozen=True)
class Failed:
    reason: Reason


@dataclass(frozen=True)
class Stopped:
    reason: StopReason


@dataclass(frozen=True)
class Died:
    step: int
    words: str


Outcome = Finished | Paused | Scored | Failed | Stopped | Died


@dataclass(frozen=True)
class Unprepared:
    """This machine could not begin the run, or could not store what it made."""

    words: str
