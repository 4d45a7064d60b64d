"""The deadline of a process that was told to stop, whatever its threads are waiting for."""

import logging
import os
import threading

from shared.timings import PROCESS_EXIT_S

log = logging.getLogger(__name__)
EXIT_OVERDUE = 1


class ExitDeadline:
    """Ends the process a fixed time after the first request to stop, like ``kill -9``.

    Everything that a process has not stored by then is recovered from the database: its runs when
    their leases end. So a wait without a limit, such as that for a database that is locked, cannot
    keep a process alive.
    """

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Start the clock, once; may be called by a signal's handler.

        Handlers run in the main thread, and not while it waits in the code of a database's driver:
        that belongs in other threads.
        """
        if self._timer is None:
            self._timer = threading.Timer(PROCESS_EXIT_S, _exit_at_once)
            self._timer.daemon = True
            self._timer.start()


def _exit_at_once() -> None:
    try:
        log.error("shutdown_overdue seconds=%s", PROCESS_EXIT_S)
    finally:
        os._exit(EXIT_OVERDUE)
