"""The trainer's reader of commands, on a thread so that a stop is seen during training."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from worker.trainer.protocol import (
    BaselinesCommand,
    PauseCommand,
    RunCommand,
    SpecPayload,
    StopCommand,
    WorkCommand,
    parse_command,
)

IDLE_DELAY_S = 1.0
"""Without a command until the trainer counts as idle; runs of one job follow each other sooner."""

log = logging.getLogger("evenkeel.trainer")


def list_specs(command: WorkCommand) -> Sequence[SpecPayload]:
    """Return the specs of the command's runs; only a stack has more than one."""
    match command:
        case RunCommand():
            return [command.run]
        case BaselinesCommand():
            return [command.baselines]
    return command.stack


class CommandReader:
    """Queue of the runs to carry out, and the runs that should stop or pause."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self._commands: queue.SimpleQueue[WorkCommand | None] = queue.SimpleQueue()
        self._stop_requested: set[str] = set()
        self._pause_requested: set[str] = set()
        self._input_ended = threading.Event()

    def start_reading(self) -> None:
        threading.Thread(target=self._read_lines, name="commands", daemon=True).start()

    def iterate_commands(self, on_idle: Callable[[], object]) -> Iterator[WorkCommand]:
        """Yield the commands in order; wait for the next one until the input ends.

        ``on_idle`` is called once in each wait that is longer than a moment.
        """
        while (command := self._get_command(on_idle)) is not None:
            yield command

    def _get_command(self, on_idle: Callable[[], object]) -> WorkCommand | None:
        try:
            return self._commands.get(timeout=IDLE_DELAY_S)
        except queue.Empty:
            on_idle()
            return self._commands.get()

    def is_stopped(self, run_id: str) -> bool:
        return self._input_ended.is_set() or run_id in self._stop_requested

    def should_pause(self, run_id: str) -> bool:
        return run_id in self._pause_requested

    def _read_lines(self) -> None:
        for line in self._lines:
            try:
                self._handle_line(line)
            except ValueError:
                log.exception("command_invalid")
        self._input_ended.set()
        self._commands.put(None)

    def _handle_line(self, line: str) -> None:
        command = parse_command(line)
        if isinstance(command, StopCommand):
            self._stop_requested.add(command.stop)
        elif isinstance(command, PauseCommand):
            self._pause_requested.add(command.wait)
        else:
            run_ids = [spec.run_id for spec in list_specs(command)]
            for requested in (self._stop_requested, self._pause_requested):
                requested.difference_update(run_ids)  # they were for an earlier attempt
            self._commands.put(command)
