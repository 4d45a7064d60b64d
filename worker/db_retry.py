"""Retries while the database is unavailable, so that a restart or a lock loses no run's results."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from shared.db.session import Database
from worker.app import is_shutting_down

log = logging.getLogger(__name__)
Result = TypeVar("Result")
RETRY_TIMEOUT_S = 600.0
RETRY_INTERVAL_S = 1.0
UNAVAILABLE_ERRORS = (OperationalError, InterfaceError)
"""Raised while the database restarts, hangs or is locked; it is then unknown whether the last
commit took effect.
"""


def retry_while_unavailable(work: Callable[[], Result]) -> Result:
    """Call ``work`` until the database answers; ``work`` must be safe to repeat.

    Raises the last error of UNAVAILABLE_ERRORS after RETRY_TIMEOUT_S.
    """
    deadline = time.monotonic() + RETRY_TIMEOUT_S
    while True:
        try:
            return work()
        except UNAVAILABLE_ERRORS as error:
            if time.monotonic() > deadline:
                raise
            log.warning("database_unavailable error=%s", error.orig)
            time.sleep(RETRY_INTERVAL_S)


def write_with_retry(database: Database, work: Callable[[Session], Result]) -> Result:
    """Call ``work`` in one write transaction, and retry while the database is unavailable.

    ``work`` must be safe to repeat: its updates are guarded by a fence or a state.
    """

    def run_transaction() -> Result:
        with database.write() as session:
            return work(session)

    return retry_while_unavailable(run_transaction)


def sleep_unless_shutting_down(seconds: float) -> None:
    """Sleep; return early when the worker shuts down."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_shutting_down():
        time.sleep(0.2)
