"""A transaction that waits for a database that is away for a moment (a restart, a lock): what a run has made must not be lost."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.db.session import Database

log = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE_S = 600.0
PAUSE_S = 1.0


def patiently(database: Database, work: Callable[[Session], Result]) -> Result:
    """``work`` in one write transaction, tried again while the database does not answer; the guards in ``work`` make that safe."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with database.write() as session:
                return work(session)
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("database_away error=%s", error.orig)
            time.sleep(PAUSE_S)
