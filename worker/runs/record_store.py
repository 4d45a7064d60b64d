"""Storage of the values that runs have reported, for all runs of a trainer in one transaction."""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from shared.db.runs import FenceLost, RunFlags, Runs
from worker.context import WorkerContext
from worker.db_retry import UNAVAILABLE_ERRORS
from worker.runs.recorder import RunRecorder

log = logging.getLogger(__name__)


class RecordStore:
    """Writer of the recorders' pending values, which also reads the runs' flags."""

    def __init__(self, context: WorkerContext, recorders: Mapping[str, RunRecorder]) -> None:
        """``recorders`` has the runs that have not ended; its owner removes those that end."""
        self._context = context
        self._recorders = recorders
        self._is_commit_uncertain = False
        self.lost_run_ids: set[str] = set()
        """Runs whose lease was taken back."""

    def flush_records(self) -> dict[str, RunFlags]:
        """Store pending values and return the runs' flags.

        If the database is unavailable, the values stay pending and no flags are returned.
        """
        try:
            return self.store_records()
        except UNAVAILABLE_ERRORS as error:
            log.warning("flush_failed runs=%s error=%s", ",".join(self._recorders), error.orig)
            return {}

    def store_records(self) -> dict[str, RunFlags]:
        """Store the pending values of all runs and return the runs' flags.

        Raises an error of ``UNAVAILABLE_ERRORS``; whether the commit took effect is then unknown.
        """
        pending = [recorder for recorder in self._recorders.values() if not recorder.is_stored]
        if not pending:
            with self._context.database.read() as session:
                return self._read_flags(session)
        with self._context.database.write() as session:
            self._write_records(session, pending)
            flags = self._read_flags(session)
        for recorder in pending:
            recorder.mark_stored()
        self._is_commit_uncertain = False
        return flags

    def _write_records(self, session: Session, pending: Sequence[RunRecorder]) -> None:
        was_uncertain, self._is_commit_uncertain = self._is_commit_uncertain, True
        if was_uncertain:
            for recorder in pending:
                recorder.drop_stored_points(session)
        for recorder in pending:  # locks the job before the runs, as a cancellation does
            recorder.write_warnings(session)
        for recorder in pending:
            self._write_record(session, recorder)

    def _write_record(self, session: Session, recorder: RunRecorder) -> None:
        try:
            recorder.write_pending(session, self._context.settings.lease_seconds)
        except FenceLost as error:
            log.warning("run_lease_lost run=%s", error)
            self.lost_run_ids.add(recorder.assignment.run.id)

    def _read_flags(self, session: Session) -> dict[str, RunFlags]:
        leases = [recorder.assignment.lease for recorder in self._recorders.values()]
        flags = Runs(session).get_flags(leases)
        self.lost_run_ids |= self._recorders.keys() - flags.keys()
        return flags
