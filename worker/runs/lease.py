"""The heartbeat that renews the leases of claimed runs.

It has its own thread, so that a slow upload or a busy trainer never loses a lease. If the whole
worker dies, its leases expire and ``worker.maintenance.sweeper`` queues the runs again.
"""

import logging
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from shared.db.runs import FenceLost, Lease, Runs
from shared.db.session import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Context manager that renews the leases every ``interval`` seconds.

    ``lost_run_ids`` collects the runs whose lease expired and was taken back.
    """

    def __init__(
        self, database: Database, leases: Sequence[Lease], *, interval: float, lease_seconds: float
    ) -> None:
        self._database = database
        self._leases = list(leases)
        self._interval = interval
        self._lease_seconds = lease_seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.lost_run_ids: set[str] = set()
        self._thread = threading.Thread(target=self._run_heartbeat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def drop_lease(self, lease: Lease) -> None:
        """Stop renewing the lease of a run that has ended or was requeued."""
        with self._lock:
            self._leases = [other for other in self._leases if other != lease]

    def _run_heartbeat(self) -> None:
        while not self._stop.wait(self._interval):
            with self._lock:
                leases = self._leases
            try:
                lost_leases = self._extend_leases(leases)
            except SQLAlchemyError as error:
                # the database is unavailable: the next heartbeat tries again, and the lease is
                # longer than several intervals
                log.warning("heartbeat_failed runs=%s error=%s", len(leases), error)
                continue
            for lease in lost_leases:
                self.lost_run_ids.add(lease.run_id)
                self.drop_lease(lease)

    def _extend_leases(self, leases: Sequence[Lease]) -> list[Lease]:
        """Renew all leases in one transaction; return those that have been lost."""
        lost_leases = []
        with self._database.write() as session:
            for lease in leases:
                try:
                    Runs(session).record_progress(lease, self._lease_seconds)
                except FenceLost:
                    lost_leases.append(lease)
        return lost_leases
