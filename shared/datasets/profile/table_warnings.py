"""Warnings about a file that hold whatever its columns mean."""

from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.table import Table

BLANK_LINES = "Blank lines were skipped."
CHAT_CONTEXT_LEFT_OUT = (
    "Chats have earlier messages besides a system prompt that all rows share. Only the last user "
    "message and its answer are read."
)
QUOTED_CELLS = (
    "Cells are in quotes, and in TSV the quotes are part of the text. If they are not meant as "
    "text, save the file as CSV."
)
REPLACEMENT_CHARACTERS = (
    "Cells contain U+FFFD, which replaces characters lost in an earlier conversion. Export the "
    "data again as UTF-8."
)


def find_table_warnings(table: Table) -> list[Finding]:
    """Return a warning for each kind of trouble that occurs in the file."""
    quoted = _count_quoted_cells(table)
    found = (
        ("blank_lines", BLANK_LINES, table.blank_lines),
        ("chat_context_left_out", CHAT_CONTEXT_LEFT_OUT, table.omitted_context_count),
        ("quoted_cells", QUOTED_CELLS, quoted if quoted * 10 > len(table.rows) else 0),
        ("replacement_characters", REPLACEMENT_CHARACTERS, _count_replaced_cells(table)),
    )
    return [
        Finding(code=code, message=message, count=count) for code, message, count in found if count
    ]


def _count_quoted_cells(table: Table) -> int:
    """Count the cells of a TSV file that begin and end with a quote."""
    if table.delimiter != "\t":
        return 0
    return sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for row in table.rows for cell in row)


def _count_replaced_cells(table: Table) -> int:
    return sum("\ufffd" in cell for row in table.rows for cell in row)
