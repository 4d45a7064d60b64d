"""Recognition of file formats by content; the file name decides only between equally likely
formats.
"""

import codecs
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from shared.datasets.errors import EmptyFile, EncodingNotUtf8
from shared.datasets.readers.delimiters import (
    DELIMITERS_BY_EXTENSION,
    find_separator_line,
    get_extension,
    sniff_delimiter,
)
from shared.datasets.readers.gzip_io import GZIP_MAGIC, is_gzip, open_unpacked
from shared.domain.errors import UnsupportedMediaType

Compression = Literal["gzip"]
HEAD_BYTES = 64 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Format(StrEnum):
    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    JSON = "json"
    """One array of objects."""
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class SniffedFormat:
    format: Format
    delimiter: str | None
    """Set for CSV (a comma or a semicolon) and TSV (a tab)."""
    compression: Compression | None = None
    has_separator_line: bool = False
    """Whether the first line is Excel's ``sep=;``, which names the delimiter and is no row."""


JSON_EXTENSIONS = frozenset({".jsonl", ".ndjson", ".json"})
OBJECT_ARRAY_PATTERN = re.compile(r"\[\s*[{\]]")


MAGIC_NUMBERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive (or an .xlsx or .docx document, or a PyTorch checkpoint)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program (ELF)"),
    (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "a program (Mach-O or Java)"),
    (b"\x00asm", "a program (WebAssembly)"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
    (b"\xff\xd8\xff", "an image (JPEG)"),
    (b"GIF87a", "an image (GIF)"),
    (b"GIF89a", "an image (GIF)"),
    (b"RIFF", "a media file (RIFF)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"ARROW1\x00\x00", "Feather or Arrow IPC"),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
)
TEXT_LIKE_MAGIC = frozenset({b"BZh", b"RIFF", b"ORC"})
"""Signatures that a text may also start with; they count only if a byte follows that no text
contains.
"""

BINARY_PICKLE_PATTERN = re.compile(rb"\x80[\x01-\x05]")
TEXT_PICKLE_PATTERN = re.compile(rb"\([ldi]?p\d+\n|c[\w.]+\n[\w.]+\n(p\d+\n)?\(")
MARKUP_PATTERN = re.compile(rb"<(!doctype|html|\?xml|svg)\b", re.IGNORECASE)
CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"


def sniff_format(path: Path, filename: str) -> SniffedFormat:
    """Recognise the format of the file's bytes, or of the unpacked bytes of a gzip file.

    Raises ``UnsupportedMediaType`` for bytes that are not a table format, ``EncodingNotUtf8``
    for UTF-16 and UTF-32, and ``EmptyFile``.
    """
    compression: Compression | None = "gzip" if is_gzip(path) else None
    with open_unpacked(path) as file:
        head = file.read(HEAD_BYTES)
    if compression:
        _check_unpacked(head)
    if head.startswith(b"PAR1"):
        return SniffedFormat(Format.PARQUET, None)
    _check_encoding(head)
    _check_media_type(head)
    extension = get_extension(filename.removesuffix(".gz") if compression else filename)
    return _sniff_text_format(head, extension, compression)


def _sniff_text_format(
    head: bytes, extension: str, compression: Compression | None
) -> SniffedFormat:
    text = _remove_marks(head).decode("utf-8", errors="ignore")
    if not text.strip():
        raise EmptyFile("The file is empty.")
    if (json_format := _sniff_json(text, extension)) is not None:
        return SniffedFormat(json_format, None, compression)
    named = find_separator_line(text)
    delimiter = named or sniff_delimiter(text, extension, is_complete=len(head) < HEAD_BYTES)
    text_format = Format.TSV if delimiter == "\t" else Format.CSV
    return SniffedFormat(text_format, delimiter, compression, named is not None)


def _remove_marks(head: bytes) -> bytes:
    """Remove the byte order mark, which programs that do not know it write twice."""
    while head.startswith(BYTE_ORDER_MARK):
        head = head.removeprefix(BYTE_ORDER_MARK)
    return head


def _check_unpacked(head: bytes) -> None:
    """Refuse a gzip file of a format that is compressed in itself."""
    if head.startswith((b"PAR1", GZIP_MAGIC)):
        inside = "another gzip file" if head.startswith(GZIP_MAGIC) else "a Parquet file"
        raise UnsupportedMediaType(
            f"The gzip file contains {inside}. Upload that file itself.", param="file"
        )


def _check_media_type(head: bytes) -> None:
    kind = _identify_other_media(head)
    if kind is not None:
        raise UnsupportedMediaType(
            (
                f"The file looks like {kind}. Upload a table as CSV, TSV, JSON Lines or JSON, "
                "each plain or gzipped, or as Parquet."
            ),
            param="file",
        )


def _identify_other_media(head: bytes) -> str | None:
    controls = len(head) - len(head.translate(None, CONTROL_BYTES))
    for magic, kind in MAGIC_NUMBERS:
        if head.startswith(magic) and (controls or magic not in TEXT_LIKE_MAGIC):
            return kind
    if BINARY_PICKLE_PATTERN.match(head) or TEXT_PICKLE_PATTERN.match(head):
        return "a Python pickle, which is a program"
    if MARKUP_PATTERN.match(_remove_marks(head).lstrip()):
        return "HTML or XML"
    if head[257:262] == b"ustar":
        return "a tar archive"
    # One NUL in a text is a fault to be reported with its line; many are not text at all. Other
    # control characters may occur in a text, but not together with bytes that are not UTF-8.
    many = max(2, len(head) // 100)
    binary = head.count(0) > many or (controls > many and not _is_utf8(head))
    return "binary data" if binary else None


def _is_utf8(head: bytes) -> bool:
    """Return whether this beginning of a file, which may end inside a character, is UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return False
    return True


def _check_encoding(head: bytes) -> None:
    """Refuse UTF-16 and UTF-32, known by a byte order mark or by a NUL in nearly every second
    byte.
    """
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    sample = head[: 4096 - len(head) % 2]
    nuls = sorted((sample[0::2].count(0), sample[1::2].count(0)))
    striped = (
        len(sample) >= 4 and nuls[1] > 0.4 * len(sample) / 2 and nuls[0] < 0.05 * len(sample) / 2
    )
    if marked or striped:
        raise EncodingNotUtf8("The file looks like UTF-16 or UTF-32. Save it as UTF-8.")


def _sniff_json(text: str, extension: str) -> Format | None:
    start = text.lstrip()
    named = extension in JSON_EXTENSIONS
    if start.startswith("[") and (
        named or (extension not in DELIMITERS_BY_EXTENSION and OBJECT_ARRAY_PATTERN.match(start))
    ):
        return Format.JSON
    if named or (
        start.startswith("{")
        and (extension not in DELIMITERS_BY_EXTENSION or _is_json_object(start.split("\n", 1)[0]))
    ):
        return Format.JSONL
    return None


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
