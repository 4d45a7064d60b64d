"""Collection of a file's rows in memory, under limits that hold for every format."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from shared.datasets.errors import RowProblem, TooManyCells, TooManyRows

MAX_LISTED_PROBLEMS = 100
"""Number of row problems that are listed; all are counted."""

SHORT_CELL = 16
"""Characters of a cell that probably occurs again: a label, a number."""
MAX_KNOWN_CELLS = 50_000
"""Different short cells that are looked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on a file once it is read. The upload limits its own bytes."""

    max_rows: int = 200_000
    max_columns: int = 1_000
    max_cells: int = 5_000_000
    """Rows × columns; a cell costs about 60 bytes plus its text, so this bounds memory at a few
    hundred MB.
    """
    max_cell_chars: int = 131_072
    """Longest cell in characters; also the csv module's limit."""
    max_line_chars: int = 4_000_000
    """Longest physical line in characters, checked before it is split."""
    max_record_values: int = 20_000
    """Values of one JSON record, in lists and objects of any depth."""
    max_json_values: int = 20_000_000
    """Values of all JSON records; a file of vectors has the most."""
    max_json_depth: int = 100
    """Levels of a JSON record."""
    max_decompressed_bytes: int = 256 * 1024 * 1024
    """Bytes that a compressed file (Parquet) may unpack to; repeated values count each time."""
    max_listed_problems: int = MAX_LISTED_PROBLEMS
    """Rows that cannot be read whose problems are listed; all are counted."""


DEFAULT_LIMITS = Limits()


class RowCollector:
    """Collects the usable rows with their positions, and counts and lists the others."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rows: list[tuple[str, ...]] = []
        self.row_numbers = array("I")
        """Data row number, from 1, of each kept row."""
        self.lines = array("I")
        """First physical line of each kept row; empty for formats without lines."""
        self.total_rows = 0
        """Number of data rows seen, kept or not."""
        self.problems: list[RowProblem] = []
        self.problems_total = 0
        self._known_cells: dict[str, str] = {}

    def add_row(self, cells: tuple[str, ...], line: int | None) -> None:
        self._count_row()
        if (len(self.rows) + 1) * len(cells) > self.limits.max_cells:
            raise self.build_cells_error()
        self.rows.append(cells)
        self.row_numbers.append(self.total_rows)
        if line is not None:
            self.lines.append(line)

    def build_cells_error(self) -> TooManyCells:
        return TooManyCells(
            f"The file has more than {self.limits.max_cells:,} cells. Remove the columns "
            "that are not needed."
        )

    def share_cells(self, cells: Sequence[str]) -> list[str]:
        """Return the cells of a row, with one object for all equal short ones.

        A wide table has few different ones, each of which costs sixty bytes.
        """
        known = self._known_cells
        if len(known) > MAX_KNOWN_CELLS:
            known = {}
        return [
            known.setdefault(cell, cell) if type(cell) is str and len(cell) <= SHORT_CELL else cell
            for cell in cells
        ]

    def reject_row(
        self, line: int | None, column: str | int | None, code: str, message: str
    ) -> None:
        """Count a row that is not kept, with its first problem."""
        self._count_row()
        self.problems_total += 1
        if len(self.problems) < self.limits.max_listed_problems:
            self.problems.append(
                RowProblem(
                    row=self.total_rows, line=line, column=column, code=code, message=message
                )
            )

    def _count_row(self) -> None:
        self.total_rows += 1
        if self.total_rows > self.limits.max_rows:
            raise TooManyRows(
                f"The file has more than {self.limits.max_rows:,} rows. Upload a sample of them."
            )
