"""Monitoring of the runs that the trainer works on, one or a stack.

The trainer's messages become rows; flags, limits and lost leases become requests to stop.
"""

import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from shared.db.runs import RunFlags
from shared.timings import FLUSH_INTERVAL_S, PAUSE_TIMEOUT_S, STOP_TIMEOUT_S
from worker.app import is_shutting_down
from worker.context import WorkerContext
from worker.db_retry import retry_while_unavailable
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.outcomes import Died, Failed, Outcome, Stopped, StopReason, Unprepared
from worker.runs.record_store import RecordStore
from worker.runs.recorder import RunRecorder
from worker.trainer.process import TrainerDied
from worker.trainer.protocol import (
    DISK_ERROR_CODE,
    DISK_FULL_CODE,
    NOT_ENOUGH_MEMORY_CODE,
    RunCommand,
    RunStopped,
    TrainerMessage,
    TrainerReady,
    WorkCommand,
    is_last_message,
)

NO_FLAGS = RunFlags(cancel=False, pause=False)
_SHARED_FAILURE_CODES = frozenset({"internal_error", "out_of_memory"})

RunEnd = tuple[Assignment, Outcome]


class _StopRequest(NamedTuple):
    """Request to the trainer to stop or pause a run."""

    reason: StopReason
    deadline: float
    """Monotonic seconds after which the trainer is killed."""
    graceful: bool = False
    """True for a pause: the messages of the run are recorded until it ends."""


class RunMonitor:
    """Receiver of the trainer's messages about the runs of one command."""

    def __init__(
        self, context: WorkerContext, assignments: Sequence[Assignment], heartbeat: Heartbeat
    ) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._recorders = {assignment.run.id: RunRecorder(assignment) for assignment in assignments}
        """Recorders of the runs that have not ended, in the order that transactions lock them."""
        self._store = RecordStore(context, self._recorders)
        self._time_limit = context.settings.time_limit_seconds * len(assignments)
        self._stop_requests: dict[str, _StopRequest] = {}
        self._needs_new_trainer = False
        self._is_single_run = False

    def monitor_runs(self, command: WorkCommand) -> Iterator[RunEnd]:
        """Submit the command and yield each run's outcome as soon as it ends.

        What the trainer has reported of a run is stored before its outcome is yielded. At the end
        the trainer is idle or dead.
        """
        self._is_single_run = isinstance(command, RunCommand)
        try:
            self._context.trainer.submit_command(command)
            yield from self._listen_to_trainer()
        except TrainerDied as error:
            yield from self._end_all_as_died(str(error))
        if self._needs_new_trainer:
            # an unexpected error (a CUDA assertion, for example) may have left a broken process
            self._context.trainer.kill()

    def _listen_to_trainer(self) -> Iterator[RunEnd]:
        """Handle messages until all runs have ended. Raises TrainerDied."""
        started_at = flushed_at = received_at = time.monotonic()
        while self._recorders:
            message = self._context.trainer.receive_message(FLUSH_INTERVAL_S / 2)
            now = time.monotonic()
            if message is not None:
                received_at = now
                yield from self._handle_message(message)
            self._check_stall(now - received_at)
            if now - flushed_at >= FLUSH_INTERVAL_S:
                flushed_at = now
                self._request_stops(self._store.flush_records(), now - started_at)
            if self._is_overdue(now):
                yield from self._kill_trainer()

    def _kill_trainer(self) -> Iterator[RunEnd]:
        """Kill a trainer that did not stop in time, which ends all of its runs."""
        self._context.trainer.kill(signal.SIGTERM)
        yield from self._end_all_runs(
            {run_id: Stopped(StopReason.TRAINER_KILLED) for run_id in self._recorders}
        )

    def _check_stall(self, silent_seconds: float) -> None:
        """Kill a trainer that has been silent for too long, and raise TrainerDied."""
        stall_timeout = self._context.settings.stall_seconds
        if silent_seconds > stall_timeout:
            self._context.trainer.kill()
            raise TrainerDied(
                f"The trainer process sent nothing for {stall_timeout:.0f} seconds and was killed."
            )

    # messages

    def _handle_message(self, message: TrainerMessage) -> Iterator[RunEnd]:
        """Record a message, and yield the run's outcome if it is its last."""
        if isinstance(message, TrainerReady) or message.run_id not in self._recorders:
            return  # a run that has ended may still have messages in the pipe
        run_id, recorder = message.run_id, self._recorders[message.run_id]
        request = self._stop_requests.get(run_id)
        # a run that waits for memory stops when it should pause
        is_stopped = isinstance(message, RunStopped)
        if request is not None and (is_stopped or not request.graceful):
            # nothing more of it is recorded
            if is_last_message(message):
                yield from self._end_runs({run_id: Stopped(request.reason)})
            return
        outcome: Outcome | None = recorder.record_message(message)
        if isinstance(outcome, Failed):
            outcome = self._attribute_failure(outcome, recorder)
        if outcome is not None:
            yield from self._end_runs({run_id: outcome})

    def _attribute_failure(self, failure: Failed, recorder: RunRecorder) -> Outcome:
        """Return Died instead of a failure that another run of the stack may have caused, and
        Unprepared for one of this machine's disk or memory.

        Such a failure counts as the run's own only when the run is trained alone.
        """
        code, stack_size = failure.reason.code, len(self._recorders)
        if code in (DISK_ERROR_CODE, DISK_FULL_CODE, NOT_ENOUGH_MEMORY_CODE):
            return Unprepared(failure.reason.message, is_outage=code == DISK_FULL_CODE)
        self._needs_new_trainer |= code == "internal_error"
        if stack_size > 1 and code in _SHARED_FAILURE_CODES:
            return Died(recorder.step, failure.reason.message, stack_size)
        return failure

    # outcomes

    def _end_all_as_died(self, message: str) -> Iterator[RunEnd]:
        stack_size = len(self._recorders)
        yield from self._end_all_runs(
            {
                run_id: Died(recorder.step, message, stack_size)
                for run_id, recorder in self._recorders.items()
            }
        )

    def _end_all_runs(self, outcomes: Mapping[str, Outcome]) -> Iterator[RunEnd]:
        """End all runs after the trainer has died; runs that should stop count as stopped."""
        stopped = {
            run_id: Stopped(request.reason) for run_id, request in self._stop_requests.items()
        }
        yield from self._end_runs({**outcomes, **stopped})

    def _end_runs(self, outcomes: Mapping[str, Outcome]) -> Iterator[RunEnd]:
        retry_while_unavailable(self._store.store_records)  # the points before the outcome
        for run_id, outcome in outcomes.items():
            recorder = self._recorders.pop(run_id)
            self._stop_requests.pop(run_id, None)
            is_lost = run_id in self._store.lost_run_ids
            yield recorder.assignment, Stopped(StopReason.LEASE_LOST) if is_lost else outcome

    # stops

    def _request_stops(self, flags: dict[str, RunFlags], seconds: float) -> None:
        """Ask the trainer to stop or pause the runs that should. Raises TrainerDied."""
        for run_id in self._recorders:
            earlier_request = self._stop_requests.get(run_id)
            if earlier_request is not None and not earlier_request.graceful:
                continue
            reason = self._get_stop_reason(run_id, flags.get(run_id, NO_FLAGS), seconds)
            if reason is StopReason.PAUSED and self._is_single_run:
                self._request_pause(run_id)
            elif reason is not None:
                self._stop_requests[run_id] = _StopRequest(
                    reason, time.monotonic() + STOP_TIMEOUT_S
                )
                self._context.trainer.request_stop(run_id)

    def _request_pause(self, run_id: str) -> None:
        """Ask the trainer to pause the run, once. Raises TrainerDied."""
        if run_id not in self._stop_requests:
            self._stop_requests[run_id] = _StopRequest(
                StopReason.PAUSED, time.monotonic() + PAUSE_TIMEOUT_S, graceful=True
            )
            self._context.trainer.request_pause(run_id)

    def _get_stop_reason(self, run_id: str, flags: RunFlags, seconds: float) -> StopReason | None:
        if run_id in self._store.lost_run_ids | self._heartbeat.lost_run_ids:
            return StopReason.LEASE_LOST
        if flags.cancel:
            return StopReason.CANCELLED
        if is_shutting_down():  # before a pause, for whose resume state there may be no time
            return StopReason.SHUTDOWN
        if flags.pause:
            return StopReason.PAUSED
        return StopReason.TIME_LIMIT if seconds > self._time_limit else None

    def _is_overdue(self, now: float) -> bool:
        """Return whether a run has not stopped in time.

        A lost run does not count while other runs are in training: nothing more is written for it,
        so it is no reason to kill their trainer.
        """
        others_train = len(self._stop_requests) < len(self._recorders)
        deadlines = [
            request.deadline
            for request in self._stop_requests.values()
            if not (others_train and request.reason is StopReason.LEASE_LOST)
        ]
        return now > min(deadlines, default=math.inf)
