"""Detection of a header line in CSV and TSV files.

A wrong yes loses a row, and a wrong no turns names into a row; both are visible in the profile,
and ``task.header`` overrides the guess. The first rule that applies decides:

1. A cell that occurs again below in its own column is a value, not a name.
2. A known column name (``text``, ``label``, ``sentence1``, …, see ``column_names``): a header.
3. A number in the first row: no header.
4. A column that is all numbers below a first cell that is not: a header.
5. First cells that all look like names (distinct, short, no sentence), above a column of few
   values that do not include its first cell: a header.
6. Otherwise: no header.
"""

import re
from collections.abc import Sequence

from shared.datasets.column_names import KNOWN_NAMES, normalize_name
from shared.datasets.readers.cells import is_number

MAX_SAMPLE_ROWS = 200
"""Number of rows below the first that are examined."""

NAME_PATTERN = re.compile(r"[^\W\d][\w.#/-]*( [\w.#/-]+){0,2}")
MAX_HEADER_NAME_CHARS = 40


def has_header(first_row: Sequence[str], rows_below: Sequence[Sequence[str]]) -> bool:
    """Compare the first row with the rows below it, ignoring those of another width."""
    columns = [
        [row[i] for row in rows_below[:MAX_SAMPLE_ROWS] if len(row) == len(first_row)]
        for i in range(len(first_row))
    ]
    if any(normalize_name(cell) in KNOWN_NAMES for cell in _list_unrepeated(first_row, columns)):
        return True
    if any(is_number(cell.strip()) for cell in first_row):
        return False
    if any(_is_numeric(column) for column in columns):
        return True
    return _has_only_names(first_row) and (
        not rows_below
        or any(_is_category(name, column) for name, column in zip(first_row, columns, strict=True))
    )


def _list_unrepeated(first_row: Sequence[str], columns: Sequence[list[str]]) -> list[str]:
    """List the first cells that do not occur again below in their column."""
    return [
        cell
        for cell, column in zip(first_row, columns, strict=True)
        if cell.strip() not in {value.strip() for value in column}
    ]


def _is_numeric(column: list[str]) -> bool:
    filled = [cell.strip() for cell in column if cell.strip()]
    return bool(filled) and all(is_number(cell) for cell in filled)


def _has_only_names(cells: Sequence[str]) -> bool:
    named = [cell.strip() for cell in cells if cell.strip()]
    alike = all(
        len(cell) <= MAX_HEADER_NAME_CHARS and NAME_PATTERN.fullmatch(cell) for cell in named
    )
    # One cell may be empty: the index column of a data frame written without its name.
    return alike and len(named) >= max(2, len(cells) - 1) and len(set(named)) == len(named)


def _is_category(name: str, column: list[str]) -> bool:
    values = {cell.strip() for cell in column if cell.strip()}
    return bool(values) and len(values) <= len(column) / 2 and name.strip() not in values
