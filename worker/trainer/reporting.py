"""The trainer's reports about the runs of one command, and the reasons of failed runs."""

import logging
import time
from collections.abc import Callable, Iterable

import torch
from pydantic import ValidationError

from shared.domain.errors import Reason, ServiceError
from shared.timings import ALIVE_INTERVAL_S
from worker.trainer.commands import CommandReader
from worker.trainer.protocol import (
    DISK_ERROR_CODE,
    DISK_FULL_CODE,
    RunAlive,
    RunEventMessage,
    RunFailed,
    RunMessage,
    RunStopped,
    TrainerReady,
)
from worker.training.errors import StopRequested
from worker.training.events import BaselinesScored, Finished, Paused, RunEvent

log = logging.getLogger("evenkeel.trainer")

_OUT_OF_MEMORY = Reason(
    code="out_of_memory",
    message=(
        "There is not enough memory for this run. Try a smaller recipe.train_batch_size or "
        "task.max_seq_length."
    ),
    param="recipe.train_batch_size",
)

RunUpdate = RunEvent | BaselinesScored | StopRequested | Exception
SendMessage = Callable[[TrainerReady | RunMessage], None]


class RunReporter:
    """Sender of the messages about the runs of one command, up to the last message of each."""

    def __init__(
        self, run_ids: Iterable[str], commands: CommandReader, send_message: SendMessage
    ) -> None:
        self.open_run_ids = dict.fromkeys(run_ids)
        """Runs whose last message has not been sent."""
        self._unstarted_run_ids = dict.fromkeys(self.open_run_ids)
        self._commands = commands
        self._send_message = send_message
        self._last_sent_at = time.monotonic()

    def report_update(self, run_id: str, update: RunUpdate) -> None:
        if run_id not in self.open_run_ids:
            return
        self._unstarted_run_ids.pop(run_id, None)
        if isinstance(update, Exception | Finished | Paused | BaselinesScored):
            del self.open_run_ids[run_id]
            log.info("%s ended: %s", run_id, type(update).__name__)
        if isinstance(update, Exception) and not isinstance(update, StopRequested):
            log.error("%s failed", run_id, exc_info=update)
        self._send_message(_to_message(run_id, update))

    def is_stopped(self, run_id: str) -> bool:
        """Return whether the run should stop; called between batches.

        Also sends a sign of life from time to time, and reports stopped runs that have not started:
        their turn may be hours away.
        """
        now = time.monotonic()
        if now - self._last_sent_at >= ALIVE_INTERVAL_S:
            self._last_sent_at = now
            self._send_message(RunAlive(run_id=run_id))
        stopped_run_ids = [
            other for other in self._unstarted_run_ids if self._commands.is_stopped(other)
        ]
        for stopped_run_id in stopped_run_ids:
            self.report_update(stopped_run_id, StopRequested(stopped_run_id))
        return self._commands.is_stopped(run_id)


def _to_message(run_id: str, update: RunUpdate) -> RunMessage:
    if isinstance(update, StopRequested):
        return RunStopped(run_id=run_id)
    if isinstance(update, Exception):
        return RunFailed(run_id=run_id, failed=to_reason(update))
    # made from plain values: validating each event again would cost time at every step
    return RunEventMessage.model_construct(run_id=run_id, event=update)


def to_reason(error: Exception) -> Reason:
    """Return the code and message that are stored with a failed run."""
    if isinstance(error, ServiceError):
        return error.to_reason()
    if isinstance(error, ValidationError):
        fields = _list_fields(error)
        return Reason(
            code="internal_error",
            message=f"The run's specification does not match this worker's version ({fields}). "
            "Update the API and the worker to the same version.",
            param=None,
        )
    if _is_out_of_memory(error):
        return _OUT_OF_MEMORY
    if _is_disk_full(error):
        return Reason(code=DISK_FULL_CODE, message="The worker's disk is full.", param=None)
    if isinstance(error, OSError):
        text = f"The worker's disk could not be used ({type(error).__name__}); see the run's log."
        return Reason(code=DISK_ERROR_CODE, message=text, param=None)
    return Reason(
        code="internal_error", message=f"{type(error).__name__}: {error}"[:1000], param=None
    )


def _list_fields(error: ValidationError) -> str:
    return ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())


def _is_disk_full(error: Exception) -> bool:
    """Return whether a disk was full; safetensors raises an error of its own with only a text."""
    # imported here: it brings libraries of the database and the storage, which trainers do not need
    from shared.infra.storage_errors import is_disk_full

    return is_disk_full(error)


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out; on a CPU torch raises a RuntimeError with only a text."""
    return isinstance(
        error, MemoryError | torch.OutOfMemoryError
    ) or "can't allocate memory" in str(error)
