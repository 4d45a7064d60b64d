"""Problems of an uploaded file: of the whole file (an error, nothing is stored) or of single
rows (listed by number).

Messages say where (line, row, column) and what to do. They never repeat texts of the file,
which may be private and long; only the question about a header shows the first line's cells.
"""

from dataclasses import dataclass

from shared.domain.errors import ServiceError


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row that cannot be used for training. It is counted and reported, never dropped
    silently.
    """

    row: int
    """Data row, from 1; a header line and blank lines are not data rows."""
    line: int | None
    """First physical line of the row in the file, from 1; null for Parquet, which has no lines."""
    column: str | int | None
    """Name of the column, or its index from 0 without a header; null if the whole row is
    affected.
    """
    code: str
    """Stable machine-readable code."""
    message: str
    """Explanation for people."""


class UnreadableFile(ServiceError):
    """The bytes are not a table: 422, and the upload is not kept. The subclasses are the stable
    codes.
    """

    status = 422

    def __init__(self, message: str, *, param: str | None = "file") -> None:
        super().__init__(message, param=param)


class EmptyFile(UnreadableFile):
    """No bytes, only blank lines, or a header without a row below it."""


class NotATable(UnreadableFile):
    """Text without columns."""


class EncodingNotUtf8(UnreadableFile):
    """UTF-16, Latin-1 and other encodings; a UTF-8 byte order mark is accepted."""


class InvalidText(UnreadableFile):
    """A NUL character, which neither databases nor tokenizers accept."""


class TooManyRows(UnreadableFile):
    """More data rows than the service accepts."""


class TooManyColumns(UnreadableFile):
    """More columns than a table may have."""


class TooManyCells(UnreadableFile):
    """Rows times columns, which bounds the table's memory whatever the size of the file."""


class FieldTooLarge(UnreadableFile):
    """A line, an object or a key of a JSON file that is too long to be read."""


class CsvMalformed(UnreadableFile):
    """Quotes or line ends that leave the end of a cell ambiguous."""


class CsvFieldTooLarge(UnreadableFile):
    """A line or a column name of a CSV or TSV file that is too long to be read."""


class CsvTooManyColumns(UnreadableFile):
    """A row with more cells than a table may have columns."""


class JsonlMalformed(UnreadableFile):
    """A line that is not one JSON object."""


class JsonMalformed(UnreadableFile):
    """A JSON file that is not one array of objects."""


class GzipMalformed(UnreadableFile):
    """A gzip file that is truncated or damaged."""


class ParquetMalformed(UnreadableFile):
    """Bytes that begin like a Parquet file but cannot be read as one."""


class ParquetColumnNotSupported(UnreadableFile):
    """A Parquet file without a column of texts, numbers or labels."""


class DecompressedTooLarge(UnreadableFile):
    """A small file that unpacks to more than the limit."""


class ReadingLimitExceeded(UnreadableFile):
    """The process that reads the file was stopped."""

    @classmethod
    def for_time(cls, seconds: float) -> "ReadingLimitExceeded":
        return cls(
            f"The file could not be read within {seconds:g} seconds; split it, or leave out the "
            "columns that are not needed."
        )

    @classmethod
    def for_cpu(cls, seconds: float) -> "ReadingLimitExceeded":
        return cls(
            f"The file could not be read within {seconds:g} seconds of processor time; split it, "
            "or leave out the columns that are not needed."
        )

    @classmethod
    def for_memory(cls, most_bytes: int) -> "ReadingLimitExceeded":
        return cls(
            f"The file could not be read within {most_bytes >> 20:,} MB of memory; split it, or "
            "leave out the columns that are not needed."
        )
