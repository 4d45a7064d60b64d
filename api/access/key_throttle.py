"""A throttle on guesses of API keys, by the address they come from.

An address that has sent too many wrong keys is refused without a look at its key, so that it
learns nothing; other addresses are not affected.
"""

import math
import time
from collections import OrderedDict, deque

from api.client_networks import get_client_network
from shared.domain.limit_errors import TooManyWrongKeys

MAX_FAILURES = 10
WINDOW_S = 60.0
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; the one that failed least recently is forgotten first."""


class KeyThrottle:
    """Counts the wrong keys of each address over a sliding window."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def require_open(self, address: str) -> None:
        """Raise TooManyWrongKeys for an address that has to wait."""
        failures = self._failures.get(get_client_network(address))
        if failures is None or len(failures) < MAX_FAILURES:
            return
        wait_s = failures[0] + WINDOW_S - time.monotonic()
        if wait_s > 0:
            raise TooManyWrongKeys(
                "Too many requests with a wrong API key came from this address; check the key and "
                f"retry in {math.ceil(wait_s)} seconds.",
                retry_after_s=wait_s,
            )

    def record_failure(self, address: str) -> bool:
        """Count a wrong key; return whether the address has to wait from now on."""
        network = get_client_network(address)
        failures = self._failures.setdefault(network, deque(maxlen=MAX_FAILURES))
        failures.append(time.monotonic())
        self._failures.move_to_end(network)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        return len(failures) == MAX_FAILURES and failures[0] > time.monotonic() - WINDOW_S
