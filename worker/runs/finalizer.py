"""Ending runs beside those that are still in training: uploads and last transactions hold nobody up."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from obstore.exceptions import BaseError as StorageError

from shared.db.runs import FenceLost
from shared.infra.storage import log_key
from worker.context import WorkerParts
from worker.db_retry import patiently, pause
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.outcomes import Finished, NotHere, Outcome, Paused, Stopped, StopReason, Unprepared
from worker.runs.transitions import record_end

log = logging.getLogger(__name__)
STORAGE_PAUSES_S = (1.0, 5.0)


class Ends:
    """One run after the other, in a thread of its own; the block ends when all of them have."""

    def __init__(self, parts: WorkerParts, beat: Heartbeat) -> None:
        self._parts = parts
        self._beat = beat
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ends")
        self._pending: list[Future[None]] = []
        self.all_kept = True
        """False once a run could not be begun, or what it made not stored, on this machine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
        if error is None:
            for end in self._pending:
                end.result()

    def take(self, assignment: Assignment, outcome: Outcome | Unprepared) -> None:
        words = self._parts.trainer.words.text()
        self._pending.append(self._thread.submit(self._conclude, assignment, outcome, words))

    def _conclude(self, assignment: Assignment, outcome: Outcome | Unprepared, words: str) -> None:
        run_id = assignment.run.id
        try:
            self._store_words(assignment, words)
            outcome = self._stored(assignment, outcome)
            self.all_kept &= not isinstance(outcome, Unprepared)
            if outcome == Stopped(StopReason.LOST):
                raise FenceLost(run_id)
            patiently(
                self._parts.database, lambda session: record_end(session, assignment, outcome)
            )
            log.info("run_ended run=%s outcome=%s", run_id, type(outcome).__name__)
        except FenceLost:
            log.warning("run_lost run=%s: its lease ran out and it was taken back", run_id)
        finally:
            self._beat.release(assignment.hold)
            assignment.leave_nothing(self._parts)

    def _store_words(self, assignment: Assignment, words: str) -> None:
        """Under the attempt's own key, so that a worker thought dead takes nothing from its successor; a run does not fail for it."""
        if not words:
            return
        try:
            self._parts.storage.put_bytes(
                log_key(assignment.run.id, assignment.run.attempt), words.encode()
            )
        except (StorageError, OSError) as error:
            log.warning("log_not_stored run=%s error=%s", assignment.run.id, error)

    def _stored(
        self, assignment: Assignment, outcome: Outcome | Unprepared
    ) -> Outcome | Unprepared:
        """The outcome, once what the run has made is whole in the storage: before any row names it."""
        if not isinstance(outcome, Finished | Paused):
            return outcome
        try:
            self._store(assignment)
        except NotHere as trouble:
            return Unprepared(str(trouble))
        return outcome

    def _store(self, assignment: Assignment) -> None:
        """Raises NotHere when the storage does not take it after some tries."""
        for seconds in (*STORAGE_PAUSES_S, None):
            try:
                self._parts.storage.take_folder(
                    assignment.artifacts, assignment.folder(self._parts)
                )
                return
            except (StorageError, OSError) as error:
                log.warning("artifacts_not_stored run=%s error=%s", assignment.run.id, error)
                if seconds is None:
                    raise NotHere(
                        f"The storage did not take the run's weights ({type(error).__name__})."
                    ) from error
                pause(seconds)
