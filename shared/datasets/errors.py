"""What can be wrong with an uploaded file: as a whole (an error, nothing is stored) or in single rows (listed, by number).

Messages say where (line, row, column) and what to do. They never repeat the file's texts, which may be private and long.
"""

from dataclasses import dataclass

from shared.domain.errors import ServiceError


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row that cannot be trained on. The row is counted and named, never dropped in silence."""

    row: int
    """Data row, from 1; a header line and blank lines are not data rows."""
    line: int | None
    """First physical line of the row in the file, from 1; null for Parquet, which has none."""
    column: str | int | None
    """Name of the column, or its index from 0 where there is no header; null if the whole row is meant."""
    code: str
    message: str


class UnreadableFile(ServiceError):
    """The bytes are no table: 422, and the upload is not kept. The subclasses are the stable codes."""

    status = 422

    def __init__(self, message: str, *, param: str | None = "file") -> None:
        super().__init__(message, param=param)


class EmptyFile(UnreadableFile):
    """No bytes, only blank lines, or a header without a row below it."""


class NotATable(UnreadableFile):
    """Text without columns."""


class EncodingNotUtf8(UnreadableFile):
    """UTF-16, Latin-1 and the like; a byte order mark of UTF-8 is fine."""


class InvalidText(UnreadableFile):
    """A NUL character, which no database text and no tokenizer is made for."""


class TooManyRows(UnreadableFile):
    """More data rows than this service takes."""


class TooManyColumns(UnreadableFile):
    """More columns than a table may have."""


class TooManyCells(UnreadableFile):
    """Rows times columns: what the table costs in memory, whatever the file's size."""


class FieldTooLarge(UnreadableFile):
    """A value of a JSON Lines or Parquet file that is longer than a cell may be."""


class CsvMalformed(UnreadableFile):
    """Quotes or line ends that leave open where a cell ends."""


class CsvFieldTooLarge(UnreadableFile):
    """A cell of a CSV or TSV file that is longer than a cell may be."""


class CsvTooManyColumns(UnreadableFile):
    """A row with more cells than a table may have columns."""


class JsonlMalformed(UnreadableFile):
    """A line that is not one JSON object."""


class JsonMalformed(UnreadableFile):
    """A JSON file that is not one array of objects."""


class GzipMalformed(UnreadableFile):
    """A gzip file that is cut short or damaged."""


class ParquetMalformed(UnreadableFile):
    """Bytes that begin as a Parquet file does and cannot be read as one."""


class ParquetColumnNotSupported(UnreadableFile):
    """A column of lists, structs, bytes: not one text or number a row."""


class DecompressedTooLarge(UnreadableFile):
    """A small file that unpacks to more than the budget."""
