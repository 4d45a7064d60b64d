"""Ending runs beside those that are still in training: uploads and last transactions hold
nobody up.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from obstore.exceptions import BaseError as StorageError

from shared.db.runs import FenceLost
from shared.infra.storage import log_key
from worker.context import WorkerContext
from worker.db_retry import sleep_unless_shutting_down, write_with_retry
from worker.runs.assignment import Assignment
from worker.runs.lease import Heartbeat
from worker.runs.outcomes import (
    Finished,
    MachineUnfit,
    Outcome,
    Paused,
    Stopped,
    StopReason,
    Unprepared,
)
from worker.runs.transitions import record_outcome

log = logging.getLogger(__name__)
STORAGE_RETRY_DELAYS_S = (1.0, 5.0)


class RunFinalizer:
    """One run after the other, in a thread of its own; the block ends when all of them have."""

    def __init__(self, context: WorkerContext, heartbeat: Heartbeat) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ends")
        self._pending: list[Future[None]] = []
        self.is_machine_fit = True
        """False once a run could not be begun, or what it made not stored, on this machine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        if error is None:
            for end in self._pending:
                end.result()

    def submit_outcome(self, assignment: Assignment, outcome: Outcome | Unprepared) -> None:
        words = self._context.trainer.stderr_tail.get_text()
        self._pending.append(self._executor.submit(self._finalize_run, assignment, outcome, words))

    def _finalize_run(
        self, assignment: Assignment, outcome: Outcome | Unprepared, stderr_text: str
    ) -> None:
        run_id = assignment.run.id
        try:
            self._store_log(assignment, stderr_text)
            outcome = self._store_artifacts(assignment, outcome)
            self.is_machine_fit &= not isinstance(outcome, Unprepared)
            if outcome == Stopped(StopReason.LEASE_LOST):
                raise FenceLost(run_id)
            write_with_retry(
                self._context.database, lambda session: record_outcome(session, assignment, outcome)
            )
            log.info("run_ended run=%s outcome=%s", run_id, type(outcome).__name__)
        except FenceLost:
            log.warning("run_lost run=%s: its lease ran out and it was taken back", run_id)
        finally:
            self._heartbeat.drop_lease(assignment.lease)
            assignment.delete_folders(self._context)

    def _store_log(self, assignment: Assignment, stderr_text: str) -> None:
        """Under the attempt's own key, so that a worker thought dead takes nothing from its
        successor; a run does not fail for it.
        """
        if not stderr_text:
            return
        try:
            self._context.storage.put_bytes(
                log_key(assignment.run.id, assignment.run.attempt), stderr_text.encode()
            )
        except (StorageError, OSError) as error:
            log.warning("log_not_stored run=%s error=%s", assignment.run.id, error)

    def _store_artifacts(
        self, assignment: Assignment, outcome: Outcome | Unprepared
    ) -> Outcome | Unprepared:
        """The outcome, once what the run has made is whole in the storage: before any row names
        it.
        """
        if not isinstance(outcome, Finished | Paused):
            return outcome
        try:
            self._upload_artifacts(assignment)
        except MachineUnfit as trouble:
            return Unprepared(str(trouble))
        return outcome

    def _upload_artifacts(self, assignment: Assignment) -> None:
        """Raises NotHere when the storage does not take it after some tries."""
        for seconds in (*STORAGE_RETRY_DELAYS_S, None):
            try:
                self._context.storage.take_folder(
                    assignment.artifacts_prefix, assignment.get_output_folder(self._context)
                )
                return
            except (StorageError, OSError) as error:
                log.warning("artifacts_not_stored run=%s error=%s", assignment.run.id, error)
                if seconds is None:
                    raise MachineUnfit(
                        f"The storage did not take the run's weights ({type(error).__name__})."
                    ) from error
                sleep_unless_shutting_down(seconds)
