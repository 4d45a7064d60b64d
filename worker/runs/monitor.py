"""Following the runs that a trainer was given, one or several side by side: its lines become rows, flags and limits become stops."""

import logging
import math
import signal
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.db.runs import FenceLost, Runs, Wish
from worker.app import is_shutting_down
from worker.context import WorkerParts
from worker.db_retry import AWAY, until_answered
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.outcomes import Died, Failed, Outcome, Stopped, StopReason
from worker.runs.recorder import Record
from worker.trainer.process import ASK_S, WAIT_S, Line, TrainerDied, is_last

log = logging.getLogger(__name__)

FLUSH_S = 0.5  # how often points are stored and the flags are read
NONE = Wish(cancel=False, pause=False)
_MAY_BE_ANOTHERS_FAULT = frozenset({"internal_error", "out_of_memory"})

End = tuple[Assignment, Outcome]


class _Stopping(NamedTuple):
    """A run that the trainer was asked to stop."""

    reason: StopReason
    deadline: float
    """Monotonic seconds, after which it is stopped by force."""
    gently: bool = False
    """Whether it was asked to come to a step it can go on from: all it says until then counts."""


class Follower:
    def __init__(
        self, parts: WorkerParts, assignments: Sequence[Assignment], beat: Heartbeat
    ) -> None:
        self._parts = parts
        self._beat = beat
        self._records = {assignment.run.id: Record(assignment) for assignment in assignments}
        """Of the runs whose last line is still to come, in the order in which every transaction takes them."""
        self._time_limit = parts.settings.time_limit_seconds * len(assignments)
        self._stopping: dict[str, _Stopping] = {}
        self._lost: set[str] = set()
        self._in_doubt = False
        self._tainted = False
        self._alone = False

    def follow(self, wish: Line) -> Iterator[End]:
        """Have a wish carried out, and tell how each of its runs ended as it ends; after that, the trainer is idle or gone.

        What was said of a run is stored before its end is told.
        """
        self._alone = "run" in wish
        try:
            self._parts.trainer.begin(wish)
            yield from self._listen()
        except TrainerDied as death:
            yield from self._all_died(str(death))
        if self._tainted:
            self._parts.trainer.kill()  # after an error nobody foresaw (a CUDA assertion, say) the next run deserves a new one

    def _listen(self) -> Iterator[End]:
        """Raises TrainerDied."""
        trainer, stall = self._parts.trainer, self._parts.settings.stall_seconds
        begun = flushed = heard = time.monotonic()
        while self._records:
            line = trainer.next_line(FLUSH_S / 2)
            now = time.monotonic()
            if line is not None:
                heard = now
                yield from self._take(line)
            if now - heard > stall:
                trainer.kill()
                raise TrainerDied(
                    f"The trainer process said nothing for {stall:.0f} seconds and was killed."
                )
            if now - flushed >= FLUSH_S:
                flushed = now
                self._ask_to_stop(self._flush(), now - begun)
            if self._is_overdue(now):
                trainer.kill(signal.SIGTERM)
                yield from self._all_end(
                    {run_id: Stopped(StopReason.BYSTANDER) for run_id in self._records}
                )

    # lines

    def _take(self, line: Line) -> Iterator[End]:
        """Note what a line says, and tell the run's end if it is its last."""
        run_id = str(line.get("run_id"))
        record = self._records.get(run_id)
        if record is None:  # the greeting, or the tail of a run that was followed before
            return
        stopping = self._stopping.get(run_id)
        if (
            stopping is not None and not stopping.gently
        ):  # what it says on the way to its stop is too late
            if is_last(line):
                yield from self._end({run_id: Stopped(stopping.reason)})
            return
        outcome = record.take(line)
        if isinstance(outcome, Failed):
            outcome = self._judged(outcome, record)
        if outcome is not None:
            yield from self._end({run_id: outcome})

    def _judged(self, failure: Failed, record: Record) -> Outcome:
        """A failure that another run of the stack may have caused is nobody's until it happens to a run alone."""
        code, company = failure.reason["code"], len(self._records)
        self._tainted |= code == "internal_error"
        if company > 1 and code in _MAY_BE_ANOTHERS_FAULT:
            return Died(record.step, failure.reason["message"], company)
        return failure

    # ends

    def _all_died(self, words: str) -> Iterator[End]:
        company = len(self._records)
        yield from self._all_end(
            {run_id: Died(record.step, words, company) for run_id, record in self._records.items()}
        )

    def _all_end(self, outcomes: dict[str, Outcome]) -> Iterator[End]:
        """The trainer is gone; a run that was to be stopped has been."""
        stopped = {run_id: Stopped(stopping.reason) for run_id, stopping in self._stopping.items()}
        yield from self._end(outcomes | stopped)

    def _end(self, outcomes: dict[str, Outcome]) -> Iterator[End]:
        until_answered(self._store)  # whatever comes next, the runs' points come first
        for run_id, outcome in outcomes.items():
            record = self._records.pop(run_id)
            self._stopping.pop(run_id, None)
            yield record.assignment, Stopped(StopReason.LOST) if run_id in self._lost else outcome

    # stops

    def _ask_to_stop(self, wishes: dict[str, Wish], seconds: float) -> None:
        """Raises TrainerDied."""
        for run_id in self._records:
            before = self._stopping.get(run_id)
            if before is not None and not before.gently:
                continue
            reason = self._reason_to_stop(run_id, wishes.get(run_id, NONE), seconds)
            if reason is StopReason.PAUSED and self._alone:
                self._ask_to_wait(run_id)
            elif reason is not None:
                self._stopping[run_id] = _Stopping(reason, time.monotonic() + ASK_S)
                self._parts.trainer.ask_to_stop(run_id)

    def _ask_to_wait(self, run_id: str) -> None:
        """Raises TrainerDied."""
        if run_id not in self._stopping:
            self._stopping[run_id] = _Stopping(
                StopReason.PAUSED, time.monotonic() + WAIT_S, gently=True
            )
            self._parts.trainer.ask_to_wait(run_id)

    def _reason_to_stop(self, run_id: str, wish: Wish, seconds: float) -> StopReason | None:
        if run_id in self._lost or run_id in self._beat.lost:
            return StopReason.LOST
        if wish.cancel:
            return StopReason.CANCELLED
        if wish.pause:
            return StopReason.PAUSED
        if is_shutting_down():
            return StopReason.SHUTDOWN
        return StopReason.TIME_LIMIT if seconds > self._time_limit else None

    def _is_overdue(self, now: float) -> bool:
        """A run that was taken back is no reason to kill the trainer of others: whatever it says, nothing of it is written."""
        patient = len(self._stopping) < len(self._records)
        deadlines = [
            s.deadline
            for s in self._stopping.values()
            if not (patient and s.reason is StopReason.LOST)
        ]
        return now > min(deadlines, default=math.inf)

    # storing

    def _flush(self) -> dict[str, Wish]:
        """Store what is unwritten and read the flags; kept for the next time if the database is away."""
        try:
            return self._store()
        except AWAY as error:
            log.warning("record_failed runs=%s error=%s", ",".join(self._records), error.orig)
            return {}

    def _store(self) -> dict[str, Wish]:
        """One transaction for all runs; returns what is wanted of each.

        Raises an error of ``AWAY``; then it is in doubt whether the commit came through.
        """
        unwritten = [record for record in self._records.values() if not record.is_stored]
        if not unwritten:
            with self._parts.database.read() as session:
                return self._wishes(session)
        doubtful, self._in_doubt = self._in_doubt, True
        with self._parts.database.write() as session:
            if doubtful:
                for record in unwritten:
                    record.forget_what_came_through(session)
            for record in unwritten:  # before the runs, as a wish to cancel locks the job first
                record.warn(session)
            for record in unwritten:
                self._write(session, record)
            wishes = self._wishes(session)
        for record in unwritten:
            record.stored()
        self._in_doubt = False
        return wishes

    def _write(self, session: Session, record: Record) -> None:
        try:
            record.write(session, self._parts.settings.lease_seconds)
        except FenceLost as lost:
            log.warning("run_lost run=%s: its lease ran out and it was taken back", lost)
            self._lost.add(record.assignment.run.id)

    def _wishes(self, session: Session) -> dict[str, Wish]:
        wishes = Runs(session).wishes([record.assignment.hold for record in self._records.values()])
        self._lost |= self._records.keys() - wishes.keys()
        return wishes
