"""A file's bytes, unpacked on the way where they are gzip'd: never more of them than is allowed, and never all of them at once."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.datasets.problems import DecompressedTooLarge, GzipMalformed
from shared.datasets.rows import DEFAULT_LIMITS

GZIP = b"\x1f\x8b"


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


@contextmanager
def opened(path: Path, most: int = DEFAULT_LIMITS.max_decompressed_bytes) -> Iterator[BinaryIO]:
    """The plain bytes. Reading raises ``GzipMalformed``, or ``DecompressedTooLarge`` once gzip has given more than ``most`` bytes."""
    if not is_gzip(path):
        with path.open("rb") as file:
            yield file
        return
    with gzip.open(path, "rb") as packed, io.BufferedReader(_Unpacking(packed, most)) as unpacked:
        yield unpacked


class _Unpacking(io.RawIOBase):
    """What is inside, counted. How well it was packed says nothing: logs and repeated rows reach a hundred to one as well."""

    def __init__(self, packed: gzip.GzipFile, most: int) -> None:
        self._packed = packed
        self._most = most
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader passes is a memoryview
        try:
            piece = self._packed.read(len(buffer))
        except EOFError:
            raise GzipMalformed("The gzip file is cut short.") from None
        except (gzip.BadGzipFile, zlib.error):
            raise GzipMalformed("The file begins like gzip but cannot be unpacked; it is damaged.") from None
        self._given += len(piece)
        if self._given > self._most:
            raise DecompressedTooLarge(f"The file unpacks to more than {self._most // 1024**2:,} MB.")
        buffer[: len(piece)] = piece
        return len(piece)
