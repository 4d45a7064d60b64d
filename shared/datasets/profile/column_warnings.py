"""Warnings about columns with values that cannot be used, and about classes the file names."""

from shared.datasets.column_contents import holds_texts
from shared.datasets.columns import ColumnIndices
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.cells import format_name, format_names
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import find_unreadable

MAX_LISTED_CLASSES = 6


def find_column_warnings(table: Table, columns: ColumnIndices | None) -> list[Finding]:
    """Return the warnings about columns; while ``columns`` are unknown, any column may be used."""
    return [
        *_find_unreadable_columns(table, columns),
        *_find_unused_texts(table, columns),
        *_find_named_classes(table, columns),
    ]


def _find_unreadable_columns(table: Table, columns: ColumnIndices | None) -> list[Finding]:
    used = () if columns is None else (*columns.list_text_columns(), columns.label)
    found = [
        column
        for column in range(table.width)
        if column not in used and find_unreadable(table.get_cells(column))
    ]
    if not found:
        return []
    names = format_names([str(table.get_column_reference(column)) for column in found])
    if columns is None:
        code = "unreadable_values"
        message = f"Columns have values that cannot be a text or a label: {names}."
    else:
        code = "unused_columns_ignored"
        message = (
            "Columns have values that cannot be read. They are ignored, because the task does not "
            f"use these columns: {names}."
        )
    return [Finding(code=code, message=message, count=len(found))]


def _find_unused_texts(table: Table, columns: ColumnIndices | None) -> list[Finding]:
    """Name the columns with texts that the task leaves out: one may be the second of a pair."""
    if columns is None:
        return []
    used = (*columns.list_text_columns(), columns.label)
    found = [
        column
        for column in range(table.width)
        if column not in used and holds_texts(table.get_cells(column))
    ]
    if not found:
        return []
    names = format_names([str(table.get_column_reference(column)) for column in found])
    advice = " If the task is about pairs of texts, set task.text_pair_column."
    message = (
        f"Columns hold texts that the task does not use: {names}."
        f"{advice if columns.pair is None else ''}"
    )
    return [Finding(code="unused_text_columns", message=message, count=len(found))]


def _find_named_classes(table: Table, columns: ColumnIndices | None) -> list[Finding]:
    if columns is None or columns.label not in table.class_names:
        return []
    names = [
        f"{number} is {format_name(name)}"
        for number, name in table.class_names[columns.label].items()
        if name
    ]
    message = (
        "The file names the classes of its label column (ClassLabel), so the labels are these "
        f"names: {format_names(names, MAX_LISTED_CLASSES)}. The class -1 counts as no label."
    )
    return [Finding(code="class_names_of_file", message=message, count=len(names))]
