"""Following the runs that a trainer was given, one or several side by side: its lines become
rows, flags and limits become stops.
"""

import logging
import math
import signal
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.db.runs import FenceLost, Runs, Wish
from worker.app import is_shutting_down
from worker.context import WorkerContext
from worker.db_retry import UNAVAILABLE_ERRORS, retry_while_unavailable
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.outcomes import Died, Failed, Outcome, Stopped, StopReason
from worker.runs.recorder import RunRecorder
from worker.trainer.process import (
    PAUSE_TIMEOUT_S,
    STOP_TIMEOUT_S,
    TrainerDied,
    TrainerMessage,
    is_last_message,
)

log = logging.getLogger(__name__)

FLUSH_INTERVAL_S = 0.5  # how often points are stored and the flags are read
NO_FLAGS = Wish(cancel=False, pause=False)
_SHARED_FAILURE_CODES = frozenset({"internal_error", "out_of_memory"})

RunEnd = tuple[Assignment, Outcome]


class _StopRequest(NamedTuple):
    """A run that the trainer was asked to stop."""

    reason: StopReason
    deadline: float
    """Monotonic seconds, after which it is stopped by force."""
    graceful: bool = False
    """Whether it was asked to come to a step it can go on from: all it says until then counts."""


class RunMonitor:
    def __init__(
        self, context: WorkerContext, assignments: Sequence[Assignment], heartbeat: Heartbeat
    ) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._recorders = {assignment.run.id: RunRecorder(assignment) for assignment in assignments}
        """Of the runs whose last line is still to come, in the order in which every transaction
        takes them.
        """
        self._time_limit = context.settings.time_limit_seconds * len(assignments)
        self._stop_requests: dict[str, _StopRequest] = {}
        self._lost_run_ids: set[str] = set()
        self._is_commit_uncertain = False
        self._needs_new_trainer = False
        self._is_single_run = False

    def monitor_runs(self, command: TrainerMessage) -> Iterator[RunEnd]:
        """Have a wish carried out, and tell how each of its runs ended as it ends; after that,
        the trainer is idle or gone.

        What was said of a run is stored before its end is told.
        """
        self._is_single_run = "run" in command
        try:
            self._context.trainer.submit_command(command)
            yield from self._listen_to_trainer()
        except TrainerDied as death:
            yield from self._end_all_as_died(str(death))
        if self._needs_new_trainer:
            # after an error nobody foresaw (a CUDA assertion, say) the next run deserves a new
            # one
            self._context.trainer.kill()

    def _listen_to_trainer(self) -> Iterator[RunEnd]:
        """Raises TrainerDied."""
        trainer, stall = self._context.trainer, self._context.settings.stall_seconds
        begun = flushed = heard = time.monotonic()
        while self._recorders:
            line = trainer.receive_message(FLUSH_INTERVAL_S / 2)
            now = time.monotonic()
            if line is not None:
                heard = now
                yield from self._handle_message(line)
            if now - heard > stall:
                trainer.kill()
                raise TrainerDied(
                    f"The trainer process said nothing for {stall:.0f} seconds and was killed."
                )
            if now - flushed >= FLUSH_INTERVAL_S:
                flushed = now
                self._request_stops(self._flush_records(), now - begun)
            if self._is_overdue(now):
                trainer.kill(signal.SIGTERM)
                yield from self._end_all_runs(
                    {run_id: Stopped(StopReason.TRAINER_KILLED) for run_id in self._recorders}
                )

    # lines

    def _handle_message(self, message: TrainerMessage) -> Iterator[RunEnd]:
        """Note what a line says, and tell the run's end if it is its last."""
        run_id = str(message.get("run_id"))
        record = self._recorders.get(run_id)
        if record is None:  # the greeting, or the tail of a run that was followed before
            return
        stopping = self._stop_requests.get(run_id)
        if (
            stopping is not None and not stopping.graceful
        ):  # what it says on the way to its stop is too late
            if is_last_message(message):
                yield from self._end_runs({run_id: Stopped(stopping.reason)})
            return
        outcome = record.record_message(message)
        if isinstance(outcome, Failed):
            outcome = self._attribute_failure(outcome, record)
        if outcome is not None:
            yield from self._end_runs({run_id: outcome})

    def _attribute_failure(self, failure: Failed, recorder: RunRecorder) -> Outcome:
        """A failure that another run of the stack may have caused is nobody's until it happens
        to a run alone.
        """
        code, company = failure.reason["code"], len(self._recorders)
        self._needs_new_trainer |= code == "internal_error"
        if company > 1 and code in _SHARED_FAILURE_CODES:
            return Died(recorder.step, failure.reason["message"], company)
        return failure

    # ends

    def _end_all_as_died(self, message: str) -> Iterator[RunEnd]:
        company = len(self._recorders)
        yield from self._end_all_runs(
            {
                run_id: Died(record.step, message, company)
                for run_id, record in self._recorders.items()
            }
        )

    def _end_all_runs(self, outcomes: dict[str, Outcome]) -> Iterator[RunEnd]:
        """The trainer is gone; a run that was to be stopped has been."""
        stopped = {
            run_id: Stopped(stopping.reason) for run_id, stopping in self._stop_requests.items()
        }
        yield from self._end_runs(outcomes | stopped)

    def _end_runs(self, outcomes: dict[str, Outcome]) -> Iterator[RunEnd]:
        retry_while_unavailable(
            self._store_records
        )  # whatever comes next, the runs' points come first
        for run_id, outcome in outcomes.items():
            record = self._recorders.pop(run_id)
            self._stop_requests.pop(run_id, None)
            yield (
                record.assignment,
                Stopped(StopReason.LEASE_LOST) if run_id in self._lost_run_ids else outcome,
            )

    # stops

    def _request_stops(self, flags: dict[str, Wish], seconds: float) -> None:
        """Raises TrainerDied."""
        for run_id in self._recorders:
            before = self._stop_requests.get(run_id)
            if before is not None and not before.graceful:
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
        """Raises TrainerDied."""
        if run_id not in self._stop_requests:
            self._stop_requests[run_id] = _StopRequest(
                StopReason.PAUSED, time.monotonic() + PAUSE_TIMEOUT_S, graceful=True
            )
            self._context.trainer.request_pause(run_id)

    def _get_stop_reason(self, run_id: str, flags: Wish, seconds: float) -> StopReason | None:
        if run_id in self._lost_run_ids or run_id in self._heartbeat.lost_run_ids:
            return StopReason.LEASE_LOST
        if flags.cancel:
            return StopReason.CANCELLED
        if flags.pause:
            return StopReason.PAUSED
        if is_shutting_down():
            return StopReason.SHUTDOWN
        return StopReason.TIME_LIMIT if seconds > self._time_limit else None

    def _is_overdue(self, now: float) -> bool:
        """A run that was taken back is no reason to kill the trainer of others: whatever it
        says, nothing of it is written.
        """
        patient = len(self._stop_requests) < len(self._recorders)
        deadlines = [
            s.deadline
            for s in self._stop_requests.values()
            if not (patient and s.reason is StopReason.LEASE_LOST)
        ]
        return now > min(deadlines, default=math.inf)

    # storing

    def _flush_records(self) -> dict[str, Wish]:
        """Store what is unwritten and read the flags; kept for the next time if the database is
        away.
        """
        try:
            return self._store_records()
        except UNAVAILABLE_ERRORS as error:
            log.warning("record_failed runs=%s error=%s", ",".join(self._recorders), error.orig)
            return {}

    def _store_records(self) -> dict[str, Wish]:
        """One transaction for all runs; returns what is wanted of each.

        Raises an error of ``UNAVAILABLE_ERRORS``; then it is in doubt whether the commit came
        through.
        """
        unwritten = [record for record in self._recorders.values() if not record.is_stored]
        if not unwritten:
            with self._context.database.read() as session:
                return self._read_flags(session)
        doubtful, self._is_commit_uncertain = self._is_commit_uncertain, True
        with self._context.database.write() as session:
            if doubtful:
                for record in unwritten:
                    record.drop_stored_points(session)
            for record in unwritten:  # before the runs, as a wish to cancel locks the job first
                record.write_warnings(session)
            for record in unwritten:
                self._write_record(session, record)
            wishes = self._read_flags(session)
        for record in unwritten:
            record.mark_stored()
        self._is_commit_uncertain = False
        return wishes

    def _write_record(self, session: Session, recorder: RunRecorder) -> None:
        try:
            recorder.write_pending(session, self._context.settings.lease_seconds)
        except FenceLost as lost:
            log.warning("run_lost run=%s: its lease ran out and it was taken back", lost)
            self._lost_run_ids.add(recorder.assignment.run.id)

    def _read_flags(self, session: Session) -> dict[str, Wish]:
        wishes = Runs(session).wishes(
            [record.assignment.lease for record in self._recorders.values()]
        )
        self._lost_run_ids |= self._recorders.keys() - wishes.keys()
        return wishes
