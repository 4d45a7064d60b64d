"""The moments at which a fault may strike: every transaction, storage operation and message."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from shared.db.session import Database
from shared.infra.storage import Storage


class Killed(BaseException):
    """The process ends here, as by kill -9: no handler of the product catches this."""


class Place(StrEnum):
    """Where in the worker a moment is."""

    DATABASE = "database"
    STORAGE = "storage"
    TRAINER = "trainer"


EVERYWHERE = frozenset(Place)


class FaultPoints:
    """A counter of moments, and the faults that strike at some of them."""

    def __init__(self) -> None:
        self.count = 0
        self._strikes: list[tuple[int, Collection[Place], Callable[[], None]]] = []

    def arm(
        self, moments: int, strike: Callable[[], None], places: Collection[Place] = EVERYWHERE
    ) -> None:
        """Let ``strike`` be called once, at the first of these places after so many moments."""
        self._strikes.append((self.count + moments, places, strike))

    @property
    def is_armed(self) -> bool:
        return bool(self._strikes)

    def disarm(self) -> None:
        self._strikes.clear()

    def pass_moment(self, place: Place) -> None:
        if threading.current_thread().name == "heartbeat":
            return
        self.count += 1
        due = next((one for one in self._strikes if self.count >= one[0] and place in one[1]), None)
        if due is not None:
            self._strikes.remove(due)
            due[2]()


class PointedDatabase(Database):
    """Database with a moment before each transaction and one after its commit."""

    def __init__(self, url: str, points: FaultPoints, **options: Any) -> None:
        super().__init__(url, **options)
        self._points = points

    @contextmanager
    def write(self) -> Iterator[Session]:
        self._points.pass_moment(Place.DATABASE)
        with super().write() as session:
            yield session
        self._points.pass_moment(Place.DATABASE)


class PointedStorage(Storage):
    """Storage with a moment before and after each operation, and within a fetch."""

    def __init__(self, url: str, points: FaultPoints) -> None:
        super().__init__(url)
        self._points = points

    def put_file(self, key: str, path: Path) -> None:
        self._points.pass_moment(Place.STORAGE)
        super().put_file(key, path)
        self._points.pass_moment(Place.STORAGE)

    def link_or_put_file(self, key: str, path: Path) -> None:
        self._points.pass_moment(Place.STORAGE)
        super().link_or_put_file(key, path)
        self._points.pass_moment(Place.STORAGE)

    def delete(self, key: str) -> None:
        self._points.pass_moment(Place.STORAGE)
        super().delete(key)

    def stream(self, key: str) -> Iterator[bytes]:
        self._points.pass_moment(Place.STORAGE)
        for chunk in super().stream(key):
            half = len(chunk) // 2
            yield chunk[:half]
            self._points.pass_moment(Place.STORAGE)
            yield chunk[half:]
