"""Keeping a claimed run ours: a heartbeat of its own thread, so that a slow upload or a busy trainer never loses the lease."""

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from shared.db.runs import FenceLost, Hold, Runs
from shared.db.session import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews the lease every ``interval`` seconds while the block runs; ``lost`` is set once somebody else has the run."""

    def __init__(self, database: Database, hold: Hold, *, interval: float, lease: float) -> None:
        self._database = database
        self._hold = hold
        self._interval = interval
        self._lease = lease
        self._stop = threading.Event()
        self.lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _beat(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                with self._database.write() as session:
                    Runs(session).record(self._hold, self._lease)
            except FenceLost:
                self.lost.set()
                return
            except (
                SQLAlchemyError
            ) as error:  # the database is away: the next beat tries again, the lease has room for several
                log.warning("heartbeat_failed run=%s error=%s", self._hold.run_id, error)
