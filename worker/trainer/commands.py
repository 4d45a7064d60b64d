"""What a trainer's parent asks it for, as its standard input says it (``worker.trainer`` has the protocol)."""

import json
import logging
import queue
import threading
from collections.abc import Iterator
from typing import IO, Any, Literal, NamedTuple

log = logging.getLogger("evenkeel.trainer")


class Wish(NamedTuple):
    """Runs to carry out."""

    kind: Literal["run", "stack", "baselines"]
    specs: list[dict[str, Any]]
    """One, but for a stack."""

    @property
    def run_ids(self) -> list[str]:
        return [str(spec["run_id"]) for spec in self.specs]


class Wishes:
    """What the parent asks for, read line by line in a thread of its own, so that a wish to stop is seen in mid-training."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._runs: queue.SimpleQueue[Wish | None] = queue.SimpleQueue()
        self._stopped: set[str] = set()
        self._waiting: set[str] = set()
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._read, name="wishes", daemon=True).start()

    def runs(self) -> Iterator[Wish]:
        """What to carry out, one after the other, as it was written; waits for the next; ends with the input."""
        while (wish := self._runs.get()) is not None:
            yield wish

    def stopped(self, run_id: str) -> bool:
        return self._ended.is_set() or run_id in self._stopped

    def should_wait(self, run_id: str) -> bool:
        return run_id in self._waiting

    def _read(self) -> None:
        for line in self._lines:
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                log.exception("a line on standard input is no wish of the protocol")
        self._ended.set()
        self._runs.put(None)

    def _take(self, wish: dict[str, Any]) -> None:
        if "stop" in wish:
            self._stopped.add(wish["stop"])
            return
        if "wait" in wish:
            self._waiting.add(wish["wait"])
            return
        kind: Literal["run", "stack", "baselines"]
        kind = "stack" if "stack" in wish else "run" if "run" in wish else "baselines"
        made = Wish(kind, wish[kind] if kind == "stack" else [wish[kind]])
        for meant in (self._stopped, self._waiting):  # an earlier attempt at it
            meant.difference_update(made.run_ids)
        self._runs.put(made)
