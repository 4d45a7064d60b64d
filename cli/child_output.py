"""Output of child processes: printed with a colored name before each line, and kept in bounded
log files.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO, TextIO

from rich.console import Console
from rich.text import Text

from shared.domain.visible_text import show_controls

MAX_LOG_BYTES = 4_000_000  # of each of a child's two log files, the current and the previous one
MAX_LINE_BYTES = 64 * 1024  # a longer line is split, so that memory stays bounded
TAIL_LINES = 5
COLORS = ("cyan", "green", "magenta", "blue", "yellow")
PARENT_NAME = "evenkeel"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Raise instead of ending the process, as Rich does; the caller decides."""
        raise BrokenPipeError


class ChildOutput:
    """Writes children's lines to ``stream`` and, if given, to one file per child in ``log_folder``.

    Lines of a child in ``quiet_names`` go to its log file only; ``get_hidden_tail`` returns the
    last of them.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        stream: TextIO,
        log_folder: Path | None = None,
        quiet_names: Sequence[str] = (),
    ) -> None:
        self._console: Console | None = _Console(
            file=stream, soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._width = max(map(len, (*names, PARENT_NAME)))
        self._colors = {name: COLORS[index % len(COLORS)] for index, name in enumerate(names)}
        self._quiet_names = frozenset(quiet_names)
        self._tails: dict[str, deque[str]] = {name: deque(maxlen=TAIL_LINES) for name in names}
        self._log_handlers: dict[str, logging.Handler] = {}
        if log_folder is not None:
            log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._log_handlers = {
                name: _create_log_handler(log_folder / f"{name}.log") for name in names
            }

    def write_line(self, name: str, text: str) -> None:
        """Write a line of a child's output, its control characters as code points."""
        text = show_controls(text)
        self._tails[name].append(text)
        if name in self._log_handlers:
            self._log_handlers[name].emit(logging.makeLogRecord({"msg": text}))
        if name not in self._quiet_names:
            self._print_line(name, text, self._colors[name])

    def write_parent_line(self, text: str) -> None:
        """Write a line of the parent process."""
        self._print_line(PARENT_NAME, text, "bold")

    def get_hidden_tail(self, name: str) -> list[str]:
        """Return the last lines of a quiet child; empty for one whose lines were printed."""
        return list(self._tails[name]) if name in self._quiet_names else []

    def close(self) -> None:
        for handler in self._log_handlers.values():
            handler.close()

    def _print_line(self, name: str, text: str, color: str) -> None:
        if self._console is None:
            return
        try:
            self._console.print(Text.assemble((f"{name:<{self._width}} | ", color), text))
        except OSError:  # the reader is gone (`| head`); the service and its log files continue
            self._console = None


async def iterate_lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """Decode lines as UTF-8 with replacement characters; split those over MAX_LINE_BYTES."""
    pending = b""
    while chunk := await reader.read(MAX_LINE_BYTES):
        *whole, pending = (pending + chunk).split(b"\n")
        if len(pending) > MAX_LINE_BYTES:
            whole, pending = [*whole, pending], b""
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
    if pending:
        yield pending.decode("utf-8", "replace").rstrip("\r")


async def copy_lines(name: str, pipe: BinaryIO, output: ChildOutput) -> None:
    """Copy a child's output until every process that holds the pipe has closed it."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    with contextlib.closing(transport):
        async for line in iterate_lines(reader):
            output.write_line(name, line)


def _create_log_handler(path: Path) -> logging.Handler:
    handler = RotatingFileHandler(
        path, maxBytes=MAX_LOG_BYTES, backupCount=1, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    return handler
