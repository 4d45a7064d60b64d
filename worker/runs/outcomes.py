"""Outcomes of an attempt at a run; ``worker.runs.transitions`` decides what follows from each."""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.errors import Reason
from shared.infra.storage_errors import StorageUnavailable, is_disk_full
from worker.training import events


class StopReason(StrEnum):
    CANCELLED = "cancelled"
    PAUSED = "paused"
    TIME_LIMIT = "time_limit"
    SHUTDOWN = "shutdown"
    NO_DISK_SPACE = "no_room"
    """This machine's disk is too full to train the run with the others of its stack."""
    TRAINER_KILLED = "bystander"
    """The trainer was killed because another run of the stack did not stop in time."""
    LEASE_LOST = "lost"
    """The lease expired and the run was taken back; nothing more may be written for it."""


@dataclass(frozen=True)
class Finished:
    result: events.Finished


@dataclass(frozen=True)
class Paused:
    result: events.Paused


@dataclass(frozen=True)
class Scored:
    result: events.BaselinesScored


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
    """Number of runs in training when the trainer died, including this one."""


@dataclass(frozen=True)
class Unprepared:
    """This machine could not start the run, or could not store its artifacts."""

    message: str
    is_outage: bool = False
    """The storage is away or a disk is full: the run waits, however often this happens."""


Outcome = Finished | Paused | Scored | Failed | Stopped | Died | Unprepared


class MachineUnfit(Exception):
    """Failure of this machine to train or store a run at present (disk, model, storage).

    Another machine, or a later attempt, may succeed.
    """

    def __init__(self, message: str, *, is_outage: bool = False) -> None:
        super().__init__(message)
        self.is_outage = is_outage
        """Whether the run waits for the end of an outage, instead of failing after some attempts.
        """

    def to_outcome(self) -> Unprepared:
        return Unprepared(str(self), self.is_outage)


def describe_outage(error: OSError, what: str) -> MachineUnfit:
    """Build the failure of a machine whose storage or disk failed; ``what`` begins the sentence."""
    if isinstance(error, StorageUnavailable):
        return MachineUnfit(f"{what}: {error}", is_outage=True)
    if is_disk_full(error):
        return MachineUnfit(f"{what}: the worker's disk is full.", is_outage=True)
    return MachineUnfit(f"{what} ({type(error).__name__}); see the worker's log.")
