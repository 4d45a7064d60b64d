"""How following a run can end, as the trainer or its supervisor tells it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.domain.errors import Reason


class StopReason(StrEnum):
    CANCELLED = "cancelled"
    PAUSED = "paused"
    TIME_LIMIT = "time_limit"
    SHUTDOWN = "shutdown"
    NO_DISK_SPACE = "no_room"
    """This machine's disk has no room for it beside the others of its stack."""
    TRAINER_KILLED = "bystander"
    """Another run of its stack did not stop when asked to, and the trainer was killed."""
    LEASE_LOST = "lost"
    """Its lease ran out and it was taken back: it is another worker's, and nothing more is
    written of it.
    """


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
    message: str
    stack_size: int = 1
    """How many runs were in training when the trainer died, this one included."""


Outcome = Finished | Paused | Scored | Failed | Stopped | Died


@dataclass(frozen=True)
class Unprepared:
    """This machine could not begin the run, or could not store what it made."""

    message: str


class MachineUnfit(Exception):
    """This machine cannot train or keep the run at present (disk, base model, storage);
    another, or a later try, may.
    """
