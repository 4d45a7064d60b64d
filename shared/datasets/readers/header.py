"""Detection of a header line in CSV and TSV files.

A wrong yes loses a row, and a wrong no trains a class named ``label``. Where the evidence is
split the answer is None, and the user is asked for ``task.header``. The first line is compared
with up to ``MAX_SAMPLE_ROWS`` rows below it; rows equal to it are left out, because files with
headers are joined (``cat a.csv b.csv``).

Evidence for a row (see ``ColumnEvidence``): a first cell that occurs again in its column, a
number above numbers.
Evidence for a header: a usual column name in any of many languages; a word above numbers; a
cell without the prefix that all cells below share; names above a column of few values that do
not include them; questions of a form.

One side alone decides. Evidence on both sides, or a first line whose label is unseen but whose
text looks like the texts below, is split. Without evidence the line is a row.
"""

from collections.abc import Sequence

from shared.datasets.readers.header_evidence import (
    MIN_RARITY,
    ColumnEvidence,
    is_number_like,
    looks_like_name,
)
from shared.datasets.readers.header_words import is_certain_name, is_header_word
from shared.datasets.readers.lines import BYTE_ORDER_MARK

MAX_SAMPLE_ROWS = 2_000
"""Number of rows below the first that are examined."""


def strip_cells(cells: Sequence[str]) -> tuple[str, ...]:
    """Return a line's cells as headers are compared: without blanks, and without the byte order
    mark that a joined file may begin with.
    """
    return tuple(
        cell.lstrip(BYTE_ORDER_MARK).strip().strip('"')  # after a mark, quotes are not read
        if cell.startswith(BYTE_ORDER_MARK)
        else cell.strip()
        for cell in cells
    )


def has_header(first_row: Sequence[str], rows_below: Sequence[Sequence[str]]) -> bool | None:
    """Compare the first row with the rows below it, ignoring those of another width; None if
    the evidence is split.
    """
    first = strip_cells(first_row)
    rows = [strip_cells(row) for row in rows_below[:MAX_SAMPLE_ROWS] if len(row) == len(first)]
    others = [row for row in rows if not is_same_line(row, first)]
    columns = [
        ColumnEvidence(cell, [row[index] for row in others if row[index]])
        for index, cell in enumerate(first)
    ]
    if not rows:
        return _has_usual_names(columns) is not None or _has_only_names(columns)
    if not others:
        return False
    has_usual_names = _has_usual_names(columns)
    is_typed = any(column.is_word_above_numbers for column in columns) or columns[0].is_index
    if _is_row(columns):
        if has_usual_names and _count_usual_names(columns) > 1:
            return True
        is_split = has_usual_names is not None or is_typed or _is_numbered(columns)
        return None if is_split else False
    if has_usual_names or is_typed:
        return True
    if any(is_number_like(cell) for cell in first):
        return _judge_numbers(columns)
    found = _judge_words(columns, is_line_repeated=len(others) < len(rows))
    return found or (None if has_usual_names is False else found)


def is_same_line(line: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two stripped lines are equal but for upper and lower case."""
    return len(line) == len(other) and all(
        cell == second or cell.casefold() == second.casefold()
        for cell, second in zip(line, other, strict=True)
    )


def _is_row(columns: Sequence[ColumnEvidence]) -> bool:
    return any(
        column.is_number_above_numbers or (column.first and column.is_repeated)
        for column in columns
    )


def _count_usual_names(columns: Sequence[ColumnEvidence]) -> int:
    return sum(not column.is_repeated and is_header_word(column.first) for column in columns)


def _has_usual_names(columns: Sequence[ColumnEvidence]) -> bool | None:
    """Return whether usual column names settle that this is a header; None without any.

    A single name that may also be a label ("question", "rating") settles it only beside other
    cells that look like names.
    """
    count = _count_usual_names(columns)
    if not count:
        return None
    is_certain = any(not column.is_repeated and is_certain_name(column.first) for column in columns)
    return count > 1 or is_certain or _has_only_names(columns)


def _is_numbered(columns: Sequence[ColumnEvidence]) -> bool:
    """Return whether the names are 0, 1, …, as data frames without names write, and one of them
    is above words.
    """
    filled = [column for column in columns if column.first]
    return (
        len(filled) > 1
        and [column.first for column in filled] == [str(index) for index in range(len(filled))]
        and any(column.is_number_above_words for column in filled)
    )


def _judge_numbers(columns: Sequence[ColumnEvidence]) -> bool | None:
    """Judge a line with a number that is not above numbers."""
    if _is_numbered(columns):
        filled = [column for column in columns if column.first]
        return True if all(column.is_number_above_words for column in filled) else None
    is_rare = any(
        column.is_number_above_words and column.is_category and column.rarity >= MIN_RARITY
        for column in columns
    )
    return None if is_rare else False


def _judge_words(columns: Sequence[ColumnEvidence], *, is_line_repeated: bool) -> bool | None:
    """Judge a line of words above words."""
    has_only_names = _has_only_names(columns)
    rows = max(len(column.below) for column in columns)
    is_sample_large = rows >= MIN_RARITY
    if any(column.lacks_common_prefix for column in columns):
        return True if is_sample_large or has_only_names else None
    if _has_only_questions(columns):
        return True if is_sample_large else None
    if has_only_names:
        return _judge_names(columns, is_sample_large=is_sample_large)
    unseen = [column for column in columns if column.first and column.is_category]
    is_rare = any(column.rarity >= MIN_RARITY for column in unseen)
    is_alien = any(column.is_much_longer or column.is_lone_question for column in unseen)
    if is_rare and (is_line_repeated or is_alien):
        return True
    return None if is_rare or is_alien else False


def _judge_names(columns: Sequence[ColumnEvidence], *, is_sample_large: bool) -> bool | None:
    """Judge a line of which every cell could be a name."""
    unseen = [column for column in columns if column.first and column.is_category]
    shorter = [column for column in columns if column.is_shorter and not column.is_above_names]
    if unseen:
        is_rare = any(column.rarity >= MIN_RARITY for column in unseen)
        return True if is_rare or shorter else None
    if not shorter or not is_sample_large:
        return False
    is_clear = len(shorter) > 1 or any(column.is_much_shorter for column in shorter)
    return True if is_clear else None


def _has_only_names(columns: Sequence[ColumnEvidence]) -> bool:
    """Return whether the cells are distinct names; the index column of a data frame and columns
    at the end may have none.
    """
    cells = [column.first for column in columns]
    while cells and not cells[-1]:
        cells.pop()
    named = [cell for cell in cells if cell]
    is_named = all(map(looks_like_name, named)) and len(set(named)) == len(named)
    return is_named and len(named) >= max(2, len(cells) - 1)


def _has_only_questions(columns: Sequence[ColumnEvidence]) -> bool:
    filled = [column for column in columns if column.first]
    return len(filled) > 1 and all(column.is_lone_question for column in filled)
