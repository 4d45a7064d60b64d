"""Warnings about a file that hold whatever its columns mean."""

from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.table import Table, describe_unclear_header

BLANK_LINES = "Blank lines were skipped."
CHAT_CONTEXT_LEFT_OUT = (
    "Chats have earlier messages besides a system prompt that all rows share. Only the last user "
    "message and its answer are read."
)
QUOTED_CELLS = (
    "Cells are in quotes, and in TSV the quotes are part of the text. If they are not meant as "
    "text, save the file as CSV."
)
QUOTED_AFTER_BLANK = (
    "Cells have a blank before their opening quote, so the quotes are part of the cell. Remove "
    "the blanks after the delimiters."
)
REPLACEMENT_CHARACTERS = (
    "Cells contain U+FFFD, which replaces characters lost in an earlier conversion. Export the "
    "data again as UTF-8."
)


def find_table_warnings(table: Table) -> list[Finding]:
    """Return a warning for each kind of trouble that occurs in the file."""
    found = (
        ("header_unclear", describe_unclear_header(table), int(table.is_header_unclear)),
        ("blank_lines", BLANK_LINES, table.blank_lines),
        ("chat_context_left_out", CHAT_CONTEXT_LEFT_OUT, table.omitted_context_count),
        ("quoted_cells", QUOTED_CELLS, _count_quoted_cells(table)),
        ("quoted_after_blank", QUOTED_AFTER_BLANK, _count_cells_quoted_after_blank(table)),
        ("replacement_characters", REPLACEMENT_CHARACTERS, _count_replaced_cells(table)),
    )
    return [
        Finding(code=code, message=message, count=count) for code, message, count in found if count
    ]


def _count_quoted_cells(table: Table) -> int:
    """Count the cells of a TSV file that begin and end with a quote, if they are many or one
    has its inner quotes doubled, as writers of CSV do; and quoted cells that line breaks or tabs
    have broken into several.
    """
    if table.delimiter != "\t":
        return 0
    quoted = [
        cell for row in table.rows for cell in row if len(cell) > 1 and cell[0] == cell[-1] == '"'
    ]
    is_frequent = len(quoted) * 10 > len(table.rows)
    is_meant = is_frequent or any(map(_has_doubled_quotes, quoted))
    return (len(quoted) if is_meant else 0) + _count_broken_cells(table)


def _count_broken_cells(table: Table) -> int:
    """Count the cells with an opening quote whose closing quote ends a later cell of the row or
    of the next row.
    """
    count, opened_in = 0, None
    for position, row in enumerate(table.rows):
        for cell in row:
            if cell.count('"') % 2 == 0:
                continue
            if opened_in is not None and cell.endswith('"'):
                count, opened_in = count + 1, None
            elif cell.startswith('"'):
                opened_in = position
        if opened_in is not None and opened_in < position:
            opened_in = None
    return count


def _has_doubled_quotes(cell: str) -> bool:
    inner = cell[1:-1]
    return '""' in inner and '"' not in inner.replace('""', "")


def _count_cells_quoted_after_blank(table: Table) -> int:
    """Count the cells of a CSV file like the second one of ``"a text", "label"``."""
    if table.delimiter in (None, "\t"):
        return 0
    return sum(
        cell[0] == " " and cell.lstrip()[:1] == '"' == cell.rstrip()[-1] and cell.count('"') > 1
        for row in table.rows
        for cell in row
        if cell and not cell.isspace()
    )


def _count_replaced_cells(table: Table) -> int:
    return sum("\ufffd" in cell for row in table.rows for cell in row)
