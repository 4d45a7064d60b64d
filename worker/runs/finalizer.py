"""Background thread that finalizes ended runs, so that uploads do not delay other runs."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from shared.db.runs import FenceLost
from shared.domain.states import Purpose
from shared.infra.storage_keys import build_log_key
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
    describe_outage,
)
from worker.runs.transitions import record_outcome

log = logging.getLogger(__name__)
STORAGE_RETRY_DELAYS_S = (1.0, 5.0)


class RunFinalizer:
    """Queue of ended runs; leaving the ``with`` block waits until all of them are finalized.

    Runs are finalized one at a time, in order.
    """

    def __init__(self, context: WorkerContext, heartbeat: Heartbeat) -> None:
        self._context = context
        self._heartbeat = heartbeat
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="finalizer")
        self._pending: list[Future[None]] = []
        self.is_machine_fit = True
        """False once this machine could not start a run or store its artifacts."""

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
            for pending in self._pending:
                pending.result()

    def submit_outcome(self, assignment: Assignment, outcome: Outcome) -> None:
        """Queue the run to be finalized, with the trainer's log up to now."""
        stderr_text = self._context.trainer.stderr_tail.get_text()
        self._pending.append(
            self._executor.submit(self._finalize_run, assignment, outcome, stderr_text)
        )

    def _finalize_run(self, assignment: Assignment, outcome: Outcome, stderr_text: str) -> None:
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
            log.warning("run_lease_lost run=%s", run_id)
        finally:
            self._heartbeat.drop_lease(assignment.lease)
            assignment.delete_folders(self._context)

    def _store_log(self, assignment: Assignment, stderr_text: str) -> None:
        """Store the trainer's log; a failure to store it does not fail the run.

        The key contains the attempt, so that a worker that lost its lease does not overwrite the
        log of the next attempt.
        """
        if not stderr_text:
            return
        try:
            self._context.storage.put_bytes(
                build_log_key(assignment.run.id, assignment.run.attempt), stderr_text.encode()
            )
        except OSError as error:
            log.warning("log_upload_failed run=%s error=%s", assignment.run.id, error)

    def _store_artifacts(self, assignment: Assignment, outcome: Outcome) -> Outcome:
        """Upload the artifacts before any row refers to them, and return the outcome.

        The outcome becomes Unprepared if the storage does not accept them.
        """
        if not isinstance(outcome, Finished | Paused):
            return outcome
        if isinstance(outcome, Finished) and assignment.run.purpose == Purpose.PILOT:
            return outcome  # it exports nothing
        try:
            self._upload_artifacts(assignment)
        except MachineUnfit as error:
            return error.to_outcome()
        return outcome

    def _upload_artifacts(self, assignment: Assignment) -> None:
        """Upload the output folder. Raises MachineUnfit when all attempts fail."""
        for retry_delay in (*STORAGE_RETRY_DELAYS_S, None):
            try:
                self._context.storage.link_or_put_folder(
                    assignment.artifacts_prefix, assignment.get_output_folder(self._context)
                )
                return
            except OSError as error:
                log.warning("artifacts_upload_failed run=%s error=%s", assignment.run.id, error)
                if retry_delay is None:
                    raise describe_outage(error, "The run's weights could not be stored") from error
                sleep_unless_shutting_down(retry_delay)
