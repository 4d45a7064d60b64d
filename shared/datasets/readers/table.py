"""A file as rows of strings, whatever its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

from shared.datasets.class_names import ClassNames
from shared.datasets.errors import RowProblem
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.delimited import DelimitedReader
from shared.datasets.readers.formats import Compression, Format, SniffedFormat, sniff_format
from shared.datasets.readers.json_lines import JsonLinesReader
from shared.datasets.readers.json_records import JsonArrayReader
from shared.datasets.readers.json_table import JsonTableReader
from shared.datasets.readers.parquet import read_parquet
from shared.datasets.readers.rows import DEFAULT_LIMITS, Limits, RowCollector

MAX_CELLS_SHOWN = 4
"""Cells of the first line that a question about it shows."""


@dataclass(frozen=True, slots=True)
class Table:
    """The usable rows of a file, with a count and a list of the others."""

    format: Format
    encoding: str | None
    """``utf-8``; null for Parquet."""
    delimiter: str | None
    header: bool | None
    """Whether the first line named the columns; null for JSON and Parquet, which always name
    them.
    """
    columns: tuple[str, ...] | None
    """Names without surrounding blanks; null if the file has none."""
    width: int
    """Number of columns."""
    rows: list[tuple[str, ...]]
    """Cells of the readable rows; the empty string is the only missing value."""
    row_numbers: Sequence[int]
    """Data row number, from 1, of each of ``rows``."""
    lines: Sequence[int] | None
    """First physical line of each of ``rows``; null for Parquet."""
    total_rows: int
    """Number of data rows: ``rows`` and those with a problem."""
    problems: tuple[RowProblem, ...]
    """The first hundred unreadable rows."""
    problems_total: int
    blank_lines: int
    """Empty lines, which are not rows."""
    compression: Compression | None = None
    """Compression of the file, if any."""
    omitted_context_count: int = 0
    """Chats of which more than a shared system prompt was not read (``chat``)."""
    is_header_unclear: bool = False
    """Whether ``header`` was to be found out and the evidence is split; the first line is then
    read as a row.
    """
    class_names: Mapping[int, ClassNames] = field(default_factory=dict)
    """Label names by column that the file itself gives for class numbers; ``rows`` have them."""

    def get_cells(self, column: int) -> list[str]:
        return [row[column] for row in self.rows]

    def get_line_number(self, position: int) -> int | None:
        return None if self.lines is None else self.lines[position]

    def get_column_reference(self, column: int) -> str | int:
        """Return how messages name a column: by its name, or by its index if the name is
        missing, shared or too long.
        """
        if self.columns is None:
            return column
        name = self.columns[column]
        return name if 0 < len(name) <= 256 and self.columns.count(name) == 1 else column


def read_table(
    path: Path,
    filename: str,
    *,
    header: Literal["auto"] | bool = "auto",
    limits: Limits = DEFAULT_LIMITS,
) -> Table:
    """Read the file at ``path``; ``filename`` is the uploaded name, whose extension breaks
    ties.

    ``header`` applies to CSV and TSV; a stored ``Task.header`` reads the file as it was read
    when the task was resolved. Raises ``UnreadableFile`` (422) or ``UnsupportedMediaType``
    (415) if the file is not a table.
    """
    sniffed = sniff_format(path, filename)
    collector = RowCollector(limits)
    content = _read_content(path, sniffed, header, collector)
    is_parquet = sniffed.format is Format.PARQUET
    return Table(
        format=sniffed.format,
        encoding=None if is_parquet else "utf-8",
        delimiter=sniffed.delimiter,
        header=content.names is not None if sniffed.delimiter else None,
        columns=content.names,
        width=content.width,
        rows=collector.rows,
        row_numbers=collector.row_numbers,
        lines=None if is_parquet else collector.lines,
        total_rows=collector.total_rows,
        problems=tuple(collector.problems),
        problems_total=collector.problems_total,
        blank_lines=content.blank_lines,
        compression=sniffed.compression,
        omitted_context_count=content.omitted_context_count,
        is_header_unclear=content.is_header_unclear,
        class_names=content.class_names,
    )


class _Content(NamedTuple):
    """What a reader returns besides the rows that it collects."""

    names: tuple[str, ...] | None
    width: int
    blank_lines: int = 0
    omitted_context_count: int = 0
    is_header_unclear: bool = False
    class_names: Mapping[int, ClassNames] = MappingProxyType({})


def _read_content(
    path: Path, sniffed: SniffedFormat, header: Literal["auto"] | bool, collector: RowCollector
) -> _Content:
    limits = collector.limits
    match sniffed.format:
        case Format.PARQUET:
            columns = read_parquet(path, limits, collector)
            return _Content(columns.names, len(columns.names), class_names=columns.class_names)
        case Format.JSONL:
            return _read_json(JsonLinesReader(path, limits), collector)
        case Format.JSON:
            return _read_json(JsonArrayReader(path, limits), collector)
        case Format.CSV | Format.TSV:
            reader = DelimitedReader(
                path,
                sniffed.delimiter or ",",
                limits,
                has_separator_line=sniffed.has_separator_line,
            )
            names = reader.read_rows(header, collector)
            return _Content(
                names,
                reader.width,
                reader.blank_lines,
                is_header_unclear=reader.is_header_unclear,
            )


def _read_json(records: JsonLinesReader | JsonArrayReader, collector: RowCollector) -> _Content:
    reader = JsonTableReader(records, collector.limits)
    names = reader.read_rows(collector)
    return _Content(names, len(names), records.blank_lines, reader.omitted_context_count)


def describe_unclear_header(table: Table) -> str:
    """Ask whether the first line names the columns; empty if the table shows it."""
    if not table.is_header_unclear:
        return ""
    cells = " | ".join(format_name(cell) for cell in table.rows[0][:MAX_CELLS_SHOWN])
    return (
        f"It is unclear whether the first line ({cells}) names the columns. Set task.header "
        "(--header) to true if it does, or to false if it is a row."
    )
