"""What a trainer says on its standard error: passed on to our own, and the end of it kept for
the runs that it is about.
"""

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
    """Of one trainer after the other; whoever reads it must not, and cannot, hold the trainer
    up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tail = bytearray()
        self._stream: IO[str] | None = None
        """What is read at present; None once it has come to its end."""

    def follow_stream(self, stream: IO[str]) -> None:
        """Until its end, in a thread of its own."""
        self._stream = stream
        threading.Thread(
            target=self._copy_stream, args=(stream,), name="trainer-words", daemon=True
        ).start()

    def clear(self) -> None:
        """What comes from now on is about other runs."""
        with self._lock:
            self._tail.clear()

    def get_text(self) -> str:
        """The last 64 kB, from the beginning of a line on; with all that the trainer had
        written when this was asked for.
        """
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        while self._is_behind() and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            kept = bytes(self._tail)
        whole = kept if len(kept) < MAX_TAIL_BYTES else kept.partition(b"\n")[2]
        return whole.decode("utf-8", "replace")

    def _is_behind(self) -> bool:
        with self._lock:  # it is not closed meanwhile
            return self._stream is not None and _is_readable(self._stream, timeout_ms=0)

    def _copy_stream(self, stream: IO[str]) -> None:
        # the descriptor itself: Celery puts a logger in the place of sys.stderr
        with stream, open(_STDERR_FD, "wb", closefd=False) as ours:
            while piece := self._read_chunk(stream):
                with suppress(
                    OSError, ValueError
                ):  # ours is closed: the trainer must not wait for a reader
                    ours.write(piece)
                    ours.flush()

    def _read_chunk(self, stream: IO[str]) -> bytes:
        """Empty at the end."""
        _is_readable(stream, timeout_ms=None)
        with self._lock:
            piece = os.read(stream.fileno(), _CHUNK_BYTES)
            self._tail += piece
            del self._tail[:-MAX_TAIL_BYTES]
            if not piece and self._stream is stream:
                self._stream = None
        return piece


def _is_readable(stream: IO[str], *, timeout_ms: int | None) -> bool:
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)
    return bool(poll.poll(timeout_ms))
