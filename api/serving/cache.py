"""What was loaded lately, bounded by number and bytes; loaded once however many ask at the same
time.
"""

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
    """The least recently used goes first. The newest stays, however large; whoever uses one
    that went keeps it until he is done.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries, self._max_bytes = max_entries, max_bytes
        self._entries: OrderedDict[str, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Raises what ``load`` raises, to everybody who waited for it; the next to ask tries
        again.
        """
        with self._lock:
            kept = self._entries.get(key)
            if kept is not None:
                self._entries.move_to_end(key)
            else:
                loading = self._entries[key] = Future[T]()
        if kept is not None:
            return kept.result()
        try:
            loading.set_result(load())
        except BaseException as error:
            self.forget(key, loading)
            loading.set_exception(error)
            raise
        self._evict_excess()
        return loading.result()

    def forget(self, key: str, entry: Future[T] | None = None) -> None:
        """Let go of it; where ``kept`` is given, only if that is still what is kept."""
        with self._lock:
            if entry is None or self._entries.get(key) is entry:
                self._entries.pop(key, None)

    def _evict_excess(self) -> None:
        with self._lock:
            sizes = {
                key: kept.result().bytes for key, kept in self._entries.items() if _is_loaded(kept)
            }
            for key in list(sizes)[:-1]:
                if len(sizes) <= self._max_entries and sum(sizes.values()) <= self._max_bytes:
                    return
                del sizes[key], self._entries[key]


def _is_loaded(entry: "Future[T]") -> bool:
    return entry.done() and entry.exception() is None
