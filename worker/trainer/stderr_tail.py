"""The trainer's standard error: forwarded to the worker's, with its end kept for the runs' logs."""

import os
import select
import threading
import time
from contextlib import suppress
from typing import IO

MAX_TAIL_BYTES = 64 * 1024
_CHUNK_BYTES = 64 * 1024
_SETTLE_TIMEOUT_S = 1.0
_STDERR_FD = 2


class StderrTail:
    """Last part of a trainer's standard error, across restarts of the trainer.

    Neither the forwarding nor a reader of the tail can block the trainer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tail = bytearray()
        self._stream: IO[str] | None = None
        """The stream being read; None after its end."""

    def follow_stream(self, stream: IO[str]) -> None:
        """Read the stream until its end, on a new thread."""
        self._stream = stream
        threading.Thread(
            target=self._copy_stream, args=(stream,), name="trainer-stderr", daemon=True
        ).start()

    def clear(self) -> None:
        """Forget the text so far, because the next runs start."""
        with self._lock:
            self._tail.clear()

    def get_text(self) -> str:
        """Return the last 64 kB, from the start of a line.

        It includes everything that the trainer had written before the call.
        """
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while self._is_behind() and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            tail = bytes(self._tail)
        whole_lines = tail if len(tail) < MAX_TAIL_BYTES else tail.partition(b"\n")[2]
        return whole_lines.decode("utf-8", "replace")

    def _is_behind(self) -> bool:
        with self._lock:  # keeps the stream from being closed in between
            return self._stream is not None and _is_readable(self._stream, timeout_ms=0)

    def _copy_stream(self, stream: IO[str]) -> None:
        # the descriptor itself, because Celery replaces sys.stderr by a logger
        with stream, open(_STDERR_FD, "wb", closefd=False) as own_stderr:
            while chunk := self._read_chunk(stream):
                # if our own stderr is closed, keep reading: the trainer must not block
                with suppress(OSError, ValueError):
                    own_stderr.write(chunk)
                    own_stderr.flush()

    def _read_chunk(self, stream: IO[str]) -> bytes:
        """Return the next bytes; empty at the end of the stream."""
        _is_readable(stream, timeout_ms=None)
        with self._lock:
            chunk = os.read(stream.fileno(), _CHUNK_BYTES)
            self._tail += chunk
            del self._tail[:-MAX_TAIL_BYTES]
            if not chunk and self._stream is stream:
                self._stream = None
        return chunk


def _is_readable(stream: IO[str], *, timeout_ms: int | None) -> bool:
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)
    return bool(poll.poll(timeout_ms))
