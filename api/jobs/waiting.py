"""Wait briefly for running trainings to stop, so that a response can show the final state."""

import time
from collections.abc import Callable

CANCEL_TIMEOUT_S = 2.5  # above the 2 s within which a worker stops a run that is asked to
POLL_INTERVAL_S = 0.1


def wait_while(condition: Callable[[], bool]) -> None:
    """Return once the condition is false, or after the timeout."""
    deadline = time.monotonic() + CANCEL_TIMEOUT_S
    while condition() and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
