"""Pages of jobs with open runs, kept in memory for a few seconds."""

import threading
import time
from collections import OrderedDict

PAGE_LIFETIME_S = 5.0
MAX_RECENT_PAGES = 16
"""A page has up to a megabyte."""


class RecentPages:
    """The pages drawn last, by a name that includes their owner."""

    def __init__(self, lifetime_seconds: float = PAGE_LIFETIME_S) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._pages: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, name: str) -> bytes | None:
        """Return the page, unless it is too old."""
        with self._lock:
            drawn_at, page = self._pages.get(name, (0.0, None))
            if page is None or time.monotonic() - drawn_at < self._lifetime_seconds:
                return page
            del self._pages[name]
            return None

    def store(self, name: str, page: bytes) -> None:
        with self._lock:
            self._pages[name] = time.monotonic(), page
            self._pages.move_to_end(name)
            while len(self._pages) > MAX_RECENT_PAGES:
                self._pages.popitem(last=False)
