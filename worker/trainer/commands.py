"""What a trainer's parent asks it for, as its standard input says it (``worker.trainer`` has
the protocol).
"""

import json
import logging
import queue
import threading
from collections.abc import Iterator
from typing import IO, Any, Literal, NamedTuple

log = logging.getLogger("evenkeel.trainer")


class TrainerCommand(NamedTuple):
    """Runs to carry out."""

    kind: Literal["run", "stack", "baselines"]
    specs: list[dict[str, Any]]
    """One, but for a stack."""

    @property
    def run_ids(self) -> list[str]:
        return [str(spec["run_id"]) for spec in self.specs]


class CommandReader:
    """What the parent asks for, read line by line in a thread of its own, so that a wish to
    stop is seen in mid-training.
    """

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._commands: queue.SimpleQueue[TrainerCommand | None] = queue.SimpleQueue()
        self._stop_requested: set[str] = set()
        self._pause_requested: set[str] = set()
        self._input_ended = threading.Event()

    def start_reading(self) -> None:
        threading.Thread(target=self._read_lines, name="wishes", daemon=True).start()

    def iterate_commands(self) -> Iterator[TrainerCommand]:
        """What to carry out, one after the other, as it was written; waits for the next; ends
        with the input.
        """
        while (wish := self._commands.get()) is not None:
            yield wish

    def is_stopped(self, run_id: str) -> bool:
        return self._input_ended.is_set() or run_id in self._stop_requested

    def should_pause(self, run_id: str) -> bool:
        return run_id in self._pause_requested

    def _read_lines(self) -> None:
        for line in self._lines:
            try:
                self._handle_command(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError):
                log.exception("a line on standard input is no wish of the protocol")
        self._input_ended.set()
        self._commands.put(None)

    def _handle_command(self, command: dict[str, Any]) -> None:
        if "stop" in command:
            self._stop_requested.add(command["stop"])
            return
        if "wait" in command:
            self._pause_requested.add(command["wait"])
            return
        kind: Literal["run", "stack", "baselines"]
        kind = "stack" if "stack" in command else "run" if "run" in command else "baselines"
        made = TrainerCommand(kind, command[kind] if kind == "stack" else [command[kind]])
        for meant in (self._stop_requested, self._pause_requested):  # an earlier attempt at it
            meant.difference_update(made.run_ids)
        self._commands.put(made)
