"""Rows on their way from a file into memory, under limits that hold for every format."""

from array import array
from dataclasses import dataclass

from shared.datasets.errors import RowProblem, TooManyCells, TooManyRows

MAX_LISTED_PROBLEMS = 100
"""Row problems that are spelled out; all are counted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost once it is read. The cap on its own bytes is the upload's."""

    max_rows: int = 200_000
    max_columns: int = 1_000
    max_cells: int = 5_000_000
    """Rows × columns; a cell costs some 60 bytes beside its text, so this bounds memory at a few hundred MB."""
    max_cell_chars: int = 131_072
    """Longest cell in characters; also the csv module's own limit."""
    max_line_chars: int = 4_000_000
    """Longest physical line in characters, checked before it is split."""
    max_decompressed_bytes: int = 256 * 1024 * 1024
    """What a compressed file (Parquet) may unpack to, repeated values counted as often as they occur."""


DEFAULT_LIMITS = Limits()


class RowCollector:
    """Keeps the sound rows with their places, counts and names the others."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rows: list[tuple[str, ...]] = []
        self.row_numbers = array("I")
        """Data row number, from 1, of each kept row."""
        self.lines = array("I")
        """First physical line of each kept row; stays empty for formats without lines."""
        self.total_rows = 0
        """Data rows seen, kept or not."""
        self.problems: list[RowProblem] = []
        self.problems_total = 0

    def add_row(self, cells: tuple[str, ...], line: int | None) -> None:
        self._count_row()
        if (len(self.rows) + 1) * len(cells) > self.limits.max_cells:
            raise TooManyCells(
                f"The file has more than {self.limits.max_cells:,} cells; leave out the columns that are not needed."
            )
        self.rows.append(cells)
        self.row_numbers.append(self.total_rows)
        if line is not None:
            self.lines.append(line)

    def reject_row(
        self, line: int | None, column: str | int | None, code: str, message: str
    ) -> None:
        """Counts one row that is not kept, with the first thing that is wrong with it."""
        self._count_row()
        self.problems_total += 1
        if len(self.problems) < MAX_LISTED_PROBLEMS:
            self.problems.append(
                RowProblem(
                    row=self.total_rows, line=line, column=column, code=code, message=message
                )
            )

    def _count_row(self) -> None:
        self.total_rows += 1
        if self.total_rows > self.limits.max_rows:
            raise TooManyRows(
                f"The file has more than {self.limits.max_rows:,} rows; split it or draw a sample."
            )
