"""What children say, made readable: an aligned, coloured name before each line, and a bounded
log file a child.
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

MAX_LOG_BYTES = 4_000_000  # of each of a child's two log files: the current one and the one before
MAX_LINE_BYTES = 64 * 1024  # a longer line is cut into pieces, so that memory stays bounded
TAIL_LINES = 5
COLOURS = ("cyan", "green", "magenta", "blue", "yellow")
PARENT_NAME = "evenkeel"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the process here; whether that follows is the caller's to say."""
        raise BrokenPipeError


class ChildOutput:
    """Where lines go: the terminal (or whatever ``stream`` is) and, given ``logs``, one file a
    child in that folder.

    A child in ``quiet`` is written to its log file only; ``tail`` has its last lines for the
    moment they matter.
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
        self._colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
        self._quiet_names = frozenset(quiet_names)
        self._tails: dict[str, deque[str]] = {name: deque(maxlen=TAIL_LINES) for name in names}
        self._log_handlers: dict[str, logging.Handler] = {}
        if log_folder is not None:
            log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._log_handlers = {
                name: _create_log_handler(log_folder / f"{name}.log") for name in names
            }

    def write_line(self, name: str, text: str) -> None:
        """One line a child said."""
        self._tails[name].append(text)
        if name in self._log_handlers:
            self._log_handlers[name].emit(logging.makeLogRecord({"msg": text}))
        if name not in self._quiet_names:
            self._print_line(name, text, self._colours[name])

    def write_parent_line(self, text: str) -> None:
        """One line of the parent's own."""
        self._print_line(PARENT_NAME, text, "bold")

    def get_hidden_tail(self, name: str) -> list[str]:
        """The child's last lines where the terminal has not shown them."""
        return list(self._tails[name]) if name in self._quiet_names else []

    def close(self) -> None:
        for handler in self._log_handlers.values():
            handler.close()

    def _print_line(self, name: str, text: str, colour: str) -> None:
        if self._console is None:
            return
        try:
            self._console.print(Text.assemble((f"{name:<{self._width}} | ", colour), text))
        except (
            OSError
        ):  # the reader of our output has gone (`| head`): the log files and the service go on
            self._console = None


async def iterate_lines(reader: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines as text; one longer than MAX_LINE_BYTES comes in pieces, bytes that are no UTF-8 as
    replacement characters.
    """
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
    """Hand over what a child says until it, and whoever has its output, has closed the pipe;
    closes our end.
    """
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
