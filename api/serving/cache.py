"""A cache bounded by number and bytes that loads each entry once for concurrent callers."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    @property
    def bytes(self) -> int: ...


T = TypeVar("T", bound=Sized)


class Cache(Generic[T]):
    """A least-recently-used cache.

    The newest entry stays even if it alone exceeds the bounds. A caller that still uses an evicted
    entry keeps it alive.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._entries: OrderedDict[str, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Return the entry; load it if it is missing.

        Raises what ``load`` raises, to every caller that waited for it; the next call loads again.
        """
        with self._lock:
            existing = self._entries.get(key)
            if existing is not None:
                self._entries.move_to_end(key)
            else:
                loading = self._entries[key] = Future[T]()
        if existing is not None:
            return existing.result()
        try:
            loading.set_result(load())
        except BaseException as error:
            self.forget(key, loading)
            loading.set_exception(error)
            raise
        self._evict_excess()
        return loading.result()

    def forget(self, key: str, entry: Future[T] | None = None) -> None:
        """Remove an entry; with ``entry``, only if that one is still stored under the key."""
        with self._lock:
            if entry is None or self._entries.get(key) is entry:
                self._entries.pop(key, None)

    def _evict_excess(self) -> None:
        with self._lock:
            sizes = {
                key: entry.result().bytes
                for key, entry in self._entries.items()
                if _is_loaded(entry)
            }
            for key in list(sizes)[:-1]:
                if len(sizes) <= self._max_entries and sum(sizes.values()) <= self._max_bytes:
                    return
                del sizes[key], self._entries[key]


def _is_loaded(entry: "Future[T]") -> bool:
    return entry.done() and entry.exception() is None
