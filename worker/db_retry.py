"""Waiting: for a database that is away for a moment (a restart, a lock), as what a run has made must not be lost; before a next try."""

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
PATIENCE_S = 600.0
PAUSE_S = 1.0
AWAY = (OperationalError, InterfaceError)
"""How a database that is restarting, frozen or locked shows; whether the last commit came through is then not known."""


def until_answered(work: Callable[[], Result]) -> Result:
    """``work``, tried again while the database does not answer; it must be safe to do twice."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return work()
        except AWAY as error:
            if time.monotonic() > deadline:
                raise
            log.warning("database_away error=%s", error.orig)
            time.sleep(PAUSE_S)


def patiently(database: Database, work: Callable[[Session], Result]) -> Result:
    """``work`` in one write transaction, tried again while the database does not answer; its guards make that safe."""

    def in_one_transaction() -> Result:
        with database.write() as session:
            return work(session)

    return until_answered(in_one_transaction)


def pause(seconds: float) -> None:
    """No longer than the worker stays."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_shutting_down():
        time.sleep(0.2)
