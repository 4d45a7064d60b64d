"""Models found for an ID a moment ago, because reading their rows costs as much as a short text."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

LOOKUP_LIFETIME_S = 1.0
"""For which another process may serve a model that was deleted, or whose job has published another
ensemble."""
MAX_LOOKUPS = 256

Value = TypeVar("Value")


@dataclass
class _Entry(Generic[Value]):
    value: Value
    expires_at: float


class LookupCache(Generic[Value]):
    """Values by key; one caller reads an expired one again, while the others use it a last time."""

    def __init__(self, lifetime_s: float = LOOKUP_LIFETIME_S) -> None:
        self._lifetime_s = lifetime_s
        self._entries: dict[object, _Entry[Value]] = {}
        self._clear_count = 0
        self._lock = Lock()

    def get(self, key: object, read: Callable[[], Value]) -> Value:
        """Return the value. Raises what ``read`` raises, and then forgets the key."""
        now = time.monotonic()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                if now < entry.expires_at:
                    return entry.value
                entry.expires_at = now + self._lifetime_s
            clear_count = self._clear_count
        try:
            value = read()
        except BaseException:
            with self._lock:
                self._entries.pop(key, None)
            raise
        with self._lock:
            if clear_count == self._clear_count:  # else it may have been read before a deletion
                if len(self._entries) >= MAX_LOOKUPS:
                    self._entries.clear()
                self._entries[key] = _Entry(value, now + self._lifetime_s)
        return value

    def clear(self) -> None:
        """Forget everything, also what is being read."""
        with self._lock:
            self._entries.clear()
            self._clear_count += 1
