"""The model cache: it loads once, keeps a bounded number, and loads again after a failure."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from api.serving.cache import Cache


@dataclass(frozen=True)
class Thing:
    name: str
    bytes: int = 1


class Shelf:
    """Loads things and notes what it loaded."""

    def __init__(self, most: int = 3, most_bytes: int = 100) -> None:
        self.cache: Cache[Thing] = Cache(most, most_bytes)
        self.loaded: list[str] = []

    def get(self, name: str, size: int = 1) -> Thing:
        def load() -> Thing:
            self.loaded.append(name)
            return Thing(name, size)

        return self.cache.get(name, load)


def test_the_least_recently_used_goes_first() -> None:
    shelf = Shelf(most=2)
    for name in "abaca":
        assert shelf.get(name).name == name
    assert shelf.loaded == ["a", "b", "c"]
    shelf.get("b")
    assert shelf.loaded == ["a", "b", "c", "b"]


def test_bytes_are_a_bound_too_but_the_newest_stays() -> None:
    shelf = Shelf(most_bytes=10)
    for name, size in (("a", 6), ("b", 6), ("b", 6), ("large", 50), ("large", 50)):
        shelf.get(name, size)
    assert shelf.loaded == ["a", "b", "large"]
    shelf.get("b", 6)
    assert shelf.loaded[-1] == "b"


def test_who_asks_at_the_same_time_waits_for_one_load() -> None:
    cache: Cache[Thing] = Cache(2, 10)
    begun, go_on, loads = threading.Event(), threading.Event(), []

    def load() -> Thing:
        loads.append(1)
        begun.set()
        go_on.wait(10)
        return Thing("slow")

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(cache.get, "slow", load)
        assert begun.wait(10)
        others = [threads.submit(cache.get, "slow", load) for _ in range(3)]
        time.sleep(0.05)
        go_on.set()
        assert {id(future.result(10)) for future in (first, *others)} == {id(first.result())}
    assert len(loads) == 1


def test_a_load_that_failed_is_tried_again() -> None:
    shelf = Shelf()

    def fail() -> Thing:
        raise OSError("no such folder")

    with pytest.raises(OSError, match="no such folder"):
        shelf.cache.get("a", fail)
    assert shelf.get("a") == Thing("a")


def test_what_is_forgotten_is_loaded_again() -> None:
    shelf = Shelf()
    shelf.get("a")
    shelf.cache.forget("a")
    shelf.get("a")
    assert shelf.loaded == ["a", "a"]
