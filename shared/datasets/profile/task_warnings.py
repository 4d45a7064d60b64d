"""Warnings about a file's texts and labels under a task."""

from collections.abc import Sequence

from shared.datasets.columns import ColumnIndices, get_label_cells
from shared.datasets.label_reading import LabelColumn
from shared.datasets.labels import parse_label_set
from shared.datasets.profile.label_collisions import find_hidden_characters
from shared.datasets.profile.label_form_warnings import find_label_form_warnings
from shared.datasets.profile.label_warnings import (
    find_label_set_warnings,
    find_label_warnings,
    find_small_validation_set,
    find_surrounding_blanks,
)
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.cells import VectorCell, is_number
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import UnreadableCell
from shared.domain.task import TaskType

REPEATED_ROWS_CODE = "duplicate_rows"


def find_task_warnings(table: Table, columns: ColumnIndices, labels: LabelColumn) -> list[Finding]:
    """Return the warnings about these texts and the labels that were read from the column."""
    texts = zip(*(table.get_cells(column) for column in columns.list_text_columns()), strict=True)
    raw_labels = get_label_cells(table, columns.label)
    return [
        *_find_repeated_texts(list(zip(texts, raw_labels, strict=True))),
        *find_label_form_warnings(raw_labels, labels),
        *find_hidden_characters(labels.cells, _list_places(table)),
        *_find_type_warnings(table.get_cells(columns.label), labels),
    ]


def _list_places(table: Table) -> list[str]:
    if table.lines is not None:
        return [f"line {line}" for line in table.lines]
    return [f"row {number}" for number in table.row_numbers]


def _find_type_warnings(cells: Sequence[str], labels: LabelColumn) -> list[Finding]:
    """Return the warnings that depend on the kind of task; ``cells`` have surrounding blanks."""
    if any(isinstance(cell, VectorCell) for cell in labels.cells):
        return []
    match labels.type:
        case TaskType.REGRESSION:
            return [_warn_of_regression(labels.cells), *find_small_validation_set(len(cells))]
        case TaskType.MULTI_LABEL:
            return find_label_set_warnings([parse_label_set(cell) for cell in labels.cells])
        case TaskType.SINGLE_LABEL:
            return find_surrounding_blanks(cells) + find_label_warnings(labels.cells)


def _warn_of_regression(labels: Sequence[str]) -> Finding:
    message = (
        "The labels are read as numbers to predict (regression). If they are classes, set "
        "task.type."
    )
    count = len({label for label in labels if is_number(label)})
    return Finding(code="regression", message=message, count=count)


def _find_repeated_texts(rows: Sequence[tuple[tuple[str, ...], str]]) -> list[Finding]:
    rows = [row for row in rows if not any(isinstance(text, UnreadableCell) for text in row[0])]
    labels_of_text: dict[tuple[str, ...], set[str]] = {}
    for text, label in rows:
        labels_of_text.setdefault(text, set()).add(label)
    repeated = len(rows) - len(set(rows))
    contradicting = {text for text, seen in labels_of_text.items() if len(seen) > 1}
    findings = []
    if repeated:
        message = (
            "Rows repeat the text and label of an earlier row. A split may put one copy into "
            "training and another into validation."
        )
        findings.append(Finding(code=REPEATED_ROWS_CODE, message=message, count=repeated))
    if contradicting:
        count = sum(text in contradicting for text, _ in rows)
        message = "Rows have the same text as another row but a different label."
        findings.append(Finding(code="conflicting_duplicates", message=message, count=count))
    return findings
