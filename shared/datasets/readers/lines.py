"""Lines of a UTF-8 file, with or without a byte order mark, ended by LF only.

``str.splitlines`` and universal newlines would also end a line at U+2028, a form feed or a
carriage return inside a text.
"""

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TextIO

from shared.datasets.errors import EncodingNotUtf8, TooManyRows
from shared.datasets.readers.gzip_io import open_unpacked
from shared.datasets.readers.rows import Limits

CHUNK_BYTES = 1024 * 1024
BYTE_ORDER_MARK = "\ufeff"
"""At the start of a file it is no text; the decoder removes the first of several."""


@contextmanager
def open_text(path: Path, limits: Limits) -> Iterator[TextIO]:
    """Open the file's text, unpacked if necessary. Reading raises ``EncodingNotUtf8`` with the
    number of the first line that is not UTF-8.
    """
    try:
        with (
            open_unpacked(path, limits.max_decompressed_bytes) as file,
            io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n") as text,
        ):
            yield text
    except UnicodeDecodeError:
        raise _make_encoding_error(path, limits) from None


def iterate_lines(path: Path, limits: Limits) -> Iterator[str]:
    """Iterate over the lines with their ends; a line over the limit is cut after one character
    too many.
    """
    with open_text(path, limits) as text:
        first = text.readline(limits.max_line_chars + 1)
        yield first if len(first) > limits.max_line_chars else first.lstrip(BYTE_ORDER_MARK)
        while line := text.readline(limits.max_line_chars + 1):
            yield line


class LineFeed:
    """Lines for a parser, with a look at the next one before the parser takes it."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: str | None = None
        self.number = 0
        """Number of lines taken."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self.peek()
        if line is None:
            raise StopIteration
        self._ahead = None
        self.number += 1
        return line

    def peek(self) -> str | None:
        """Return the next line; None after the last one."""
        if self._ahead is None:
            self._ahead = next(self._lines, None)
        return self._ahead


def check_blank_line_count(blank_lines: int, limits: Limits) -> None:
    """Limit the blank lines: they are not rows but cost time, and gzip packs a thousand into a few
    bytes.
    """
    if blank_lines > limits.max_rows:
        raise TooManyRows(f"The file has more than {limits.max_rows:,} blank lines. Remove them.")


def _make_encoding_error(path: Path, limits: Limits) -> EncodingNotUtf8:
    """Find the line that is not UTF-8 in the bytes, because the text decoder does not count
    lines.
    """
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 0
    with open_unpacked(path, limits.max_decompressed_bytes) as file:
        while chunk := file.read(CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                line = 1 + lines + error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                return EncodingNotUtf8(
                    f"Line {line} is not UTF-8 (byte 0x{byte:02X}). Save the file as UTF-8."
                )
            lines += chunk.count(b"\n")
    return EncodingNotUtf8("The file is not UTF-8. Save it as UTF-8.")
