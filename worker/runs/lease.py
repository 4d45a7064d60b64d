"""Keeping claimed runs ours: a heartbeat of its own thread, so that a slow upload or a busy
trainer never loses a lease.
"""

import logging
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from shared.db.runs import FenceLost, Hold, Runs
from shared.db.session import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews the leases every ``interval`` seconds while the block runs; ``lost`` has the ids
    of runs that somebody else has by now.
    """

    def __init__(
        self, database: Database, leases: Sequence[Hold], *, interval: float, lease_seconds: float
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

    def drop_lease(self, lease: Hold) -> None:
        """The run has ended or was given back: there is no lease any more."""
        with self._lock:
            self._leases = [other for other in self._leases if other != lease]

    def _run_heartbeat(self) -> None:
        while not self._stop.wait(self._interval):
            with self._lock:
                holds = self._leases
            try:
                gone = self._extend_leases(holds)
            except SQLAlchemyError as error:
                # the database is away: the next beat tries again, the lease has room for several
                log.warning("heartbeat_failed runs=%s error=%s", len(holds), error)
                continue
            for hold in gone:
                self.lost_run_ids.add(hold.run_id)
                self.drop_lease(hold)

    def _extend_leases(self, leases: Sequence[Hold]) -> list[Hold]:
        """One transaction; returns the holds that are none any more."""
        gone = []
        with self._database.write() as session:
            for hold in leases:
                try:
                    Runs(session).record(hold, self._lease_seconds)
                except FenceLost:
                    gone.append(hold)
        return gone
