"""Waiting: for a database that is away for a moment (a restart, a lock), as what a run has made
must not be lost; before a next try.
"""

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
"""How a database that is restarting, frozen or locked shows; whether the last commit came
through is then not known.
"""


def retry_while_unavailable(work: Callable[[], Result]) -> Result:
    """``work``, tried again while the database does not answer; it must be safe to do twice."""
    deadline = time.monotonic() + RETRY_TIMEOUT_S
    while True:
        try:
            return work()
        except UNAVAILABLE_ERRORS as error:
            if time.monotonic() > deadline:
                raise
            log.warning("database_away error=%s", error.orig)
            time.sleep(RETRY_INTERVAL_S)


def write_with_retry(database: Database, work: Callable[[Session], Result]) -> Result:
    """``work`` in one write transaction, tried again while the database does not answer; its
    guards make that safe.
    """

    def run_transaction() -> Result:
        with database.write() as session:
            return work(session)

    return retry_while_unavailable(run_transaction)


def sleep_unless_shutting_down(seconds: float) -> None:
    """No longer than the worker stays."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_shutting_down():
        time.sleep(0.2)
