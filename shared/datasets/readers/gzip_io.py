"""Streaming access to a file's bytes, unpacking gzip within a limit and never all at once."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.datasets.errors import DecompressedTooLarge, GzipMalformed
from shared.datasets.readers.rows import DEFAULT_LIMITS

GZIP_MAGIC = b"\x1f\x8b"
GZIP_WINDOW_BITS = 31
"""zlib's code for the largest window within gzip's header and trailer, whose checksum and
length it checks.
"""
CHUNK_BYTES = 64 * 1024
MAX_GZIP_MEMBERS = 10_000
"""Maximum of concatenated gzip members: members of 64 kB need 4,096 for 256 MB; empty ones only
cost time.
"""


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC


@contextmanager
def open_unpacked(
    path: Path, max_bytes: int = DEFAULT_LIMITS.max_decompressed_bytes
) -> Iterator[BinaryIO]:
    """Open the plain bytes. Reading raises ``GzipMalformed``, or ``DecompressedTooLarge`` once
    gzip has produced more than ``max_bytes`` bytes.
    """
    with path.open("rb") as file:
        if is_gzip(path):
            with io.BufferedReader(_GzipReader(file, max_bytes)) as unpacked:
                yield unpacked
        else:
            yield file


class _GzipReader(io.RawIOBase):
    """The unpacked bytes, counted. The compression ratio is not limited: logs and repeated rows
    reach 100:1.
    """

    def __init__(self, packed: BinaryIO, max_bytes: int) -> None:
        self._packed = packed
        self._max_bytes = max_bytes
        self._unpacked_bytes = 0
        self._member_count = 0
        self._member: zlib._Decompress | None = None
        self._pending = b""
        """Compressed bytes that were read but not unpacked yet."""

    def readable(self) -> bool:
        return True

    # BufferedReader passes a memoryview
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = b""
        while not piece and (member := self._get_current_member()) is not None:
            piece = self._unpack_chunk(member, len(buffer))
        self._unpacked_bytes += len(piece)
        if self._unpacked_bytes > self._max_bytes:
            raise DecompressedTooLarge(
                f"The file unpacks to more than {self._max_bytes // 1024**2:,} MB."
            )
        buffer[: len(piece)] = piece
        return len(piece)

    def _get_current_member(self) -> "zlib._Decompress | None":
        """Return the current gzip member, or the next one; None after the last member and any
        zero padding.
        """
        if self._member is not None:
            return self._member
        self._skip_padding()
        if not self._pending:
            return None
        self._member_count += 1
        if self._member_count > MAX_GZIP_MEMBERS:
            raise GzipMalformed(
                f"The file joins more than {MAX_GZIP_MEMBERS:,} gzip files. Compress it as one."
            )
        self._member = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
        return self._member

    def _skip_padding(self) -> None:
        """Read on to the first byte that is not zero."""
        ahead = self._pending or self._packed.read(CHUNK_BYTES)
        while ahead and not ahead.lstrip(b"\0"):
            ahead = self._packed.read(CHUNK_BYTES)
        self._pending = ahead.lstrip(b"\0")

    def _unpack_chunk(self, member: "zlib._Decompress", max_bytes: int) -> bytes:
        packed = self._pending or self._packed.read(CHUNK_BYTES)
        try:
            piece = member.decompress(packed, max_bytes)
        except zlib.error:
            raise GzipMalformed("The gzip file is damaged and cannot be unpacked.") from None
        if member.eof:
            self._member, self._pending = None, member.unused_data
        elif not (piece or packed):
            raise GzipMalformed("The gzip file is incomplete. Upload it again.")
        else:
            self._pending = member.unconsumed_tail
        return piece
