"""CSV as RFC 4180 has it, strictly; TSV as GLUE has it, without any quoting: a lone ``"`` there is a character."""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from shared.datasets.errors import (
    CsvFieldTooLarge,
    CsvMalformed,
    CsvTooManyColumns,
    EmptyFile,
    InvalidText,
    NotATable,
)
from shared.datasets.readers.header import SAMPLE, has_header
from shared.datasets.readers.lines import refuse_many_blanks, text_lines
from shared.datasets.readers.rows import Limits, RowCollector

Record = tuple[int, list[str]]
"""First physical line of the record, and its cells."""


class Delimited:
    """One pass over a delimited file: ``read`` fills the collector and tells the names, if there are any."""

    def __init__(self, path: Path, delimiter: str, limits: Limits) -> None:
        self.path = path
        self.delimiter = delimiter
        self.limits = limits
        self.blank_lines = 0
        self.width = 0

    def read(self, header: Literal["auto"] | bool, rows: RowCollector) -> tuple[str, ...] | None:
        records = self._records()
        sample = list(islice(records, SAMPLE + 1))
        if not sample:
            raise EmptyFile("The file is empty.")
        first = sample[0][1]
        self.width = len(first)
        if self.width < 2:
            raise NotATable(
                "No comma, semicolon or tab separates columns in the first line; a text and its label need two."
            )
        if self.width > self.limits.max_columns:
            raise CsvTooManyColumns(
                f"The first line has {self.width:,} columns; {self.limits.max_columns:,} are allowed."
            )
        if header == "auto":
            header = has_header(first, [cells for _, cells in sample[1:]])
        names = tuple(name.strip() for name in first) if header else None
        self._collect(
            chain(sample[1:] if header else sample, records),
            rows,
            "header" if header else "first row",
        )
        if rows.total == 0:
            raise EmptyFile("The file has a header and no rows below it.")
        return names

    def _collect(self, records: Iterator[Record], rows: RowCollector, measure: str) -> None:
        for line, cells in records:
            if len(cells) == self.width:
                rows.keep(tuple(cells), line)
            else:
                rows.refuse(
                    line,
                    None,
                    "wrong_width",
                    f"The row has {len(cells)} cells, the {measure} has {self.width}.",
                )

    def _records(self) -> Iterator[Record]:
        """Rows that are not blank, with every cell within the limit."""
        limit = self.limits.max_cell_chars
        for line, cells in self._tab_records() if self.delimiter == "\t" else self._csv_records():
            if not cells:
                self.blank_lines += 1
                refuse_many_blanks(self.blank_lines, self.limits)
                continue
            if len(max(cells, key=len)) > limit:
                raise CsvFieldTooLarge(f"Line {line} has a cell of more than {limit:,} characters.")
            yield line, cells

    def _tab_records(self) -> Iterator[Record]:
        for number, line in enumerate(self._lines(), start=1):
            content = line.removesuffix("\n").removesuffix("\r")
            yield number, content.split("\t") if content else []

    def _csv_records(self) -> Iterator[Record]:
        reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise self._csv_problem(error, line, reader.line_num) from None
            yield line, cells

    def _csv_problem(
        self, error: csv.Error, first: int, last: int
    ) -> CsvMalformed | CsvFieldTooLarge:
        """The csv module's complaint about the record in lines ``first`` to ``last``, in words that say where."""
        reason = str(error)
        if "field limit" in reason:
            if last == first:
                return CsvFieldTooLarge(
                    f"Line {first} has a cell of more than {csv.field_size_limit():,} characters."
                )
            return CsvMalformed(
                f"A quote in the row that begins in line {first} is not closed within {csv.field_size_limit():,} characters."
            )
        if "unexpected end" in reason:
            return CsvMalformed(f"A quote in the row that begins in line {first} is never closed.")
        if "new-line" in reason:
            return CsvMalformed(
                f"Line {last} has a carriage return outside quotes; end lines with LF or CRLF."
            )
        return CsvMalformed(
            f"Line {last} has a closing quote that neither {self.delimiter!r} nor the end of the line follows; "
            'write a quote inside a quoted cell as "".'
        )

    def _lines(self) -> Iterator[str]:
        for number, line in enumerate(text_lines(self.path, self.limits), start=1):
            if "\0" in line:
                raise InvalidText(f"Line {number} has a NUL character.")
            if "\r" in line and not line.endswith("\n") and number == 1:
                raise CsvMalformed(
                    "Lines end with a carriage return alone; end them with LF or CRLF."
                )
            if len(line) > self.limits.max_line_chars:
                raise self._line_problem(number, line)
            yield line

    def _line_problem(self, number: int, line: str) -> CsvTooManyColumns | CsvFieldTooLarge:
        if line.count(self.delimiter) > self.limits.max_columns:
            return CsvTooManyColumns(
                f"Line {number} has more than {self.limits.max_columns:,} columns."
            )
        return CsvFieldTooLarge(
            f"Line {number} has more than {self.limits.max_line_chars:,} characters."
        )
