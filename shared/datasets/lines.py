"""Lines of a UTF-8 file, with or without byte order mark, ended by LF and by nothing else.

``str.splitlines`` and universal newlines would also end a line at U+2028, form feeds or a carriage return inside a text.
"""

from collections.abc import Iterator
from pathlib import Path

from shared.datasets.problems import EncodingNotUtf8


def text_lines(path: Path) -> Iterator[str]:
    """The lines with their ends. Raises ``EncodingNotUtf8`` with the number of the first line that is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            yield from file
    except UnicodeDecodeError:
        raise _undecodable(path) from None


def _undecodable(path: Path) -> EncodingNotUtf8:
    """The decoder counts in its own buffers, so the line is looked for again in the bytes."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return EncodingNotUtf8(f"Line {number} is not UTF-8 (byte 0x{byte:02X}); save the file as UTF-8.")
    return EncodingNotUtf8("The file is not UTF-8; save it as UTF-8.")
