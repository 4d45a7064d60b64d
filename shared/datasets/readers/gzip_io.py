"""A file's bytes, unpacked on the way where they are gzip'd: never more of them than is allowed, and never all of them at once."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.datasets.errors import DecompressedTooLarge, GzipMalformed
from shared.datasets.readers.rows import DEFAULT_LIMITS

GZIP = b"\x1f\x8b"
GZIP_FRAME = 31
"""What zlib calls the largest window within gzip's header and trailer, whose digest and length it checks."""
CHUNK = 64 * 1024
MOST_MEMBERS = 10_000
"""gzip files that may follow each other as one: those made of blocks of 64 kB need 4,096 for 256 MB; empty ones give nothing but work."""


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


@contextmanager
def opened(path: Path, most: int = DEFAULT_LIMITS.max_decompressed_bytes) -> Iterator[BinaryIO]:
    """The plain bytes. Reading raises ``GzipMalformed``, or ``DecompressedTooLarge`` once gzip has given more than ``most`` bytes."""
    with path.open("rb") as file:
        if is_gzip(path):
            with io.BufferedReader(_Unpacking(file, most)) as unpacked:
                yield unpacked
        else:
            yield file


class _Unpacking(io.RawIOBase):
    """What is inside, counted. How well it was packed says nothing: logs and repeated rows reach a hundred to one as well."""

    def __init__(self, packed: BinaryIO, most: int) -> None:
        self._packed = packed
        self._most = most
        self._given = 0
        self._members = 0
        self._member: zlib._Decompress | None = None
        self._ahead = b""
        """Packed bytes that were read and not unpacked yet."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes is a memoryview
        piece = b""
        while not piece and (member := self._current()) is not None:
            piece = self._unpack(member, len(buffer))
        self._given += len(piece)
        if self._given > self._most:
            raise DecompressedTooLarge(
                f"The file unpacks to more than {self._most // 1024**2:,} MB."
            )
        buffer[: len(piece)] = piece
        return len(piece)

    def _current(self) -> "zlib._Decompress | None":
        """The member that is being unpacked, or the next; None behind the last and the zeros that may fill a file up."""
        if self._member is not None:
            return self._member
        ahead = self._ahead or self._packed.read(CHUNK)
        while ahead and not ahead.lstrip(b"\0"):
            ahead = self._packed.read(CHUNK)
        self._ahead = ahead.lstrip(b"\0")
        if not self._ahead:
            return None
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise GzipMalformed(
                f"The file is more than {MOST_MEMBERS:,} gzip files in one; pack it anew."
            )
        self._member = zlib.decompressobj(wbits=GZIP_FRAME)
        return self._member

    def _unpack(self, member: "zlib._Decompress", most: int) -> bytes:
        packed = self._ahead or self._packed.read(CHUNK)
        try:
            piece = member.decompress(packed, most)
        except zlib.error:
            raise GzipMalformed(
                "The file begins like gzip but cannot be unpacked; it is damaged."
            ) from None
        if member.eof:
            self._member, self._ahead = None, member.unused_data
        elif not (piece or packed):
            raise GzipMalformed("The gzip file is cut short.")
        else:
            self._ahead = member.unconsumed_tail
        return piece
