"""Readers of CSV (strict RFC 4180) and TSV (as in GLUE, without quoting: a lone ``"`` is a
character).
"""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Literal, NamedTuple

from shared.datasets.errors import (
    CsvFieldTooLarge,
    CsvMalformed,
    CsvTooManyColumns,
    EmptyFile,
    InvalidText,
    NotATable,
)
from shared.datasets.readers.header import (
    MAX_SAMPLE_ROWS,
    has_header,
    is_same_line,
    strip_cells,
)
from shared.datasets.readers.header_words import is_header_word
from shared.datasets.readers.lines import LineFeed, check_blank_line_count, iterate_lines
from shared.datasets.readers.rows import DEFAULT_LIMITS, Limits, RowCollector
from shared.datasets.readers.unreadable import mark_long_cells
from shared.domain.wording import format_count

csv.field_size_limit(DEFAULT_LIMITS.max_line_chars)
"""A cell above the limit of cells is a row problem, so the csv module must read beyond it."""

REPEATED_HEADER = (
    "The line repeats the header, as when files with headers are joined. Remove the line."
)

MAX_CELLS_MADE = 4
"""Cells of all rows, unusable ones included, as a multiple of the cells that a table may have."""


class WideRow(NamedTuple):
    """A row with more cells than a table may have columns; they are counted, not kept."""

    width: int


DelimitedRecord = tuple[int, list[str] | WideRow]
"""First physical line of the record, and its cells."""


class DelimitedReader:
    """One pass over a delimited file."""

    def __init__(
        self, path: Path, delimiter: str, limits: Limits, *, has_separator_line: bool = False
    ) -> None:
        self.path = path
        self.delimiter = delimiter
        self.limits = limits
        self.blank_lines = 0
        self.width = 0
        self.is_header_unclear = False
        """Whether it cannot be told if the first line is a header; it is read as a row."""
        self._lines_skipped = int(has_separator_line)

    def read_rows(
        self, header: Literal["auto"] | bool, collector: RowCollector
    ) -> tuple[str, ...] | None:
        """Read the rows into the collector and return the names, if any."""
        records = self._iterate_records(collector)
        sample = list(islice(records, MAX_SAMPLE_ROWS + 1))
        if not sample:
            raise EmptyFile("The file is empty.")
        first = sample[0][1]
        self.width = first.width if isinstance(first, WideRow) else len(first)
        self._check_width(first, header)
        assert not isinstance(first, WideRow)  # its width has been refused
        if header == "auto":
            below = [cells for _, cells in sample[1:] if not isinstance(cells, WideRow)]
            found = self.width == 1 or has_header(first, below)
            self.is_header_unclear, header = found is None, found or False
        if not header:
            self._collect_rows(chain(sample, records), collector, None)
            return None
        self._check_names(first)
        self._collect_rows(chain(sample[1:], records), collector, strip_cells(first))
        if collector.total_rows == 0:
            raise EmptyFile("The file has a header but no rows.")
        return tuple(name.strip() for name in first)

    def _check_width(self, first: list[str] | WideRow, header: Literal["auto"] | bool) -> None:
        is_named = not isinstance(first, WideRow) and (
            header is True or (header == "auto" and is_header_word(first[0]))
        )
        if self.width < 2 and not is_named:  # prose, or a delimiter that is not supported
            raise NotATable(
                "The first line has no comma, semicolon or tab between columns. A file needs at "
                "least two columns, a text and its label; or, for texts alone, the line `text` "
                "above them."
            )
        if self.width > self.limits.max_columns:
            raise CsvTooManyColumns(
                f"The first line has {self.width:,} columns, but at most "
                f"{self.limits.max_columns:,} are allowed."
            )

    def _check_names(self, names: list[str]) -> None:
        limit = self.limits.max_cell_chars
        if len(max(names, key=len)) > limit:
            raise CsvFieldTooLarge(
                f"The first line has a column name of more than {limit:,} characters."
            )

    def _collect_rows(
        self,
        records: Iterator[DelimitedRecord],
        collector: RowCollector,
        names: tuple[str, ...] | None,
    ) -> None:
        for line, cells in records:
            if isinstance(cells, WideRow) or len(cells) != self.width:
                source = "first row" if names is None else "header"
                width = cells.width if isinstance(cells, WideRow) else len(cells)
                collector.reject_row(
                    line,
                    None,
                    "wrong_width",
                    f"The row has {format_count(width, 'cell')}, but the {source} has "
                    f"{self.width}.",
                )
            elif names is not None and is_same_line(strip_cells(cells), names):
                collector.reject_row(line, None, "repeated_header", REPEATED_HEADER)
            else:
                collector.add_row(mark_long_cells(cells, self.limits), line)

    def _iterate_records(self, collector: RowCollector) -> Iterator[DelimitedRecord]:
        """Yield the rows that are not blank."""
        cells_left = MAX_CELLS_MADE * self.limits.max_cells
        for line, cells in (
            self._iterate_tab_records() if self.delimiter == "\t" else self._iterate_csv_records()
        ):
            if isinstance(cells, WideRow):
                yield line, cells
                continue
            cells_left -= len(cells)
            if cells_left < 0:
                raise collector.build_cells_error()
            if not any(map(str.strip, cells)):  # also a spreadsheet's empty rows, such as ",,,"
                self.blank_lines += 1
                check_blank_line_count(self.blank_lines, self.limits)
            elif len(cells) > self.limits.max_columns:
                yield line, WideRow(len(cells))
            else:
                yield line, collector.share_cells(cells)

    def _iterate_tab_records(self) -> Iterator[DelimitedRecord]:
        for number, line in enumerate(self._iterate_lines(), start=1 + self._lines_skipped):
            if (tabs := line.count("\t")) >= self.limits.max_columns:
                yield number, WideRow(tabs + 1)
                continue
            content = line.removesuffix("\n").removesuffix("\r")
            yield number, content.split("\t") if content else []

    def _iterate_csv_records(self) -> Iterator[DelimitedRecord]:
        lines = LineFeed(self._iterate_lines())
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while (line := lines.peek()) is not None:
            first_line = lines.number + 1 + self._lines_skipped
            delimiters = line.count(self.delimiter)
            if delimiters >= self.limits.max_columns and '"' not in line:
                next(lines)
                yield first_line, WideRow(delimiters + 1)
                continue
            try:
                cells = next(reader)
            except csv.Error as error:
                raise self._make_csv_error(
                    error, first_line, lines.number + self._lines_skipped
                ) from None
            yield first_line, cells

    def _make_csv_error(
        self, error: csv.Error, first_line: int, last_line: int
    ) -> CsvMalformed | CsvFieldTooLarge:
        """Translate the csv module's error in the record that spans these lines."""
        reason = str(error)
        if "field limit" in reason:
            return self._make_field_limit_error(first_line, last_line)
        if "unexpected end" in reason:
            return CsvMalformed(
                f"A quote in the row that begins on line {first_line} is never closed."
            )
        if "new-line" in reason:
            return CsvMalformed(
                f"Line {last_line} has a carriage return outside quotes. End lines with LF or CRLF."
            )
        return CsvMalformed(
            f"Line {last_line} has a closing quote that is not followed by {self.delimiter!r} "
            'or the end of the line. Write a quote inside a quoted cell as "".'
        )

    def _make_field_limit_error(
        self, first_line: int, last_line: int
    ) -> CsvMalformed | CsvFieldTooLarge:
        limit = csv.field_size_limit()
        if last_line == first_line:
            return CsvFieldTooLarge(
                f"Line {first_line} has a cell of more than {limit:,} characters."
            )
        return CsvMalformed(
            f"A quote in the row that begins on line {first_line} is not closed within "
            f"{limit:,} characters."
        )

    def _iterate_lines(self) -> Iterator[str]:
        for number, line in enumerate(iterate_lines(self.path, self.limits), start=1):
            if number <= self._lines_skipped:
                continue
            if "\0" in line:
                raise InvalidText(f"Line {number} contains a NUL character.")
            if "\r" in line and not line.endswith("\n") and number == 1 + self._lines_skipped:
                raise CsvMalformed(
                    "Lines end with a carriage return alone. End them with LF or CRLF."
                )
            if len(line) > self.limits.max_line_chars:
                raise self._make_line_error(number, line)
            yield line

    def _make_line_error(self, number: int, line: str) -> CsvTooManyColumns | CsvFieldTooLarge:
        if line.count(self.delimiter) > self.limits.max_columns:
            return CsvTooManyColumns(
                f"Line {number} has more than {self.limits.max_columns:,} columns."
            )
        return CsvFieldTooLarge(
            f"Line {number} has more than {self.limits.max_line_chars:,} characters."
        )
