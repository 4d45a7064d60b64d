"""What was loaded lately, bounded by number and bytes; loaded once however many ask at the same time."""

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
    """The least recently used goes first. The newest stays, however large; whoever uses one that went keeps it until he is done."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._kept: OrderedDict[str, Future[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, load: Callable[[], T]) -> T:
        """Raises what ``load`` raises, to everybody who waited for it; the next to ask tries again."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
            else:
                loading = self._kept[key] = Future[T]()
        if kept is not None:
            return kept.result()
        try:
            loading.set_result(load())
        except BaseException as error:
            self.forget(key, loading)
            loading.set_exception(error)
            raise
        self._make_room()
        return loading.result()

    def forget(self, key: str, kept: Future[T] | None = None) -> None:
        """Let go of it; where ``kept`` is given, only if that is still what is kept."""
        with self._lock:
            if kept is None or self._kept.get(key) is kept:
                self._kept.pop(key, None)

    def _make_room(self) -> None:
        with self._lock:
            sizes = {
                key: kept.result().bytes for key, kept in self._kept.items() if _is_loaded(kept)
            }
            for key in list(sizes)[:-1]:
                if len(sizes) <= self._most and sum(sizes.values()) <= self._most_bytes:
                    return
                del sizes[key], self._kept[key]


def _is_loaded(kept: "Future[T]") -> bool:
    return kept.done() and kept.exception() is None
