"""Warnings about a file's texts and labels under a task."""

from collections.abc import Sequence

from shared.datasets.columns import ColumnIndices, get_label_cells
from shared.datasets.labels import parse_label_set
from shared.datasets.profile.label_warnings import (
    find_label_set_warnings,
    find_label_warnings,
    find_small_validation_set,
)
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import UnreadableCell
from shared.domain.task import TaskType


def find_task_warnings(table: Table, columns: ColumnIndices, task_type: TaskType) -> list[Finding]:
    """Return the warnings about these texts and labels."""
    texts = zip(*(table.get_cells(column) for column in columns.list_text_columns()), strict=True)
    labels = get_label_cells(table, columns.label)
    findings = _find_repeated_texts(list(zip(texts, labels, strict=True)))
    match task_type:
        case TaskType.REGRESSION:
            findings.append(_warn_of_regression(labels))
            return findings + find_small_validation_set(len(labels))
        case TaskType.MULTI_LABEL:
            return findings + find_label_set_warnings([parse_label_set(label) for label in labels])
        case TaskType.SINGLE_LABEL:
            return findings + find_label_warnings(table.get_cells(columns.label))


def _warn_of_regression(labels: Sequence[str]) -> Finding:
    message = (
        "The labels are read as numbers to predict (regression). If they are classes, set "
        "task.type."
    )
    return Finding(code="regression", message=message, count=len(set(labels)))


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
        findings.append(Finding(code="duplicate_rows", message=message, count=repeated))
    if contradicting:
        count = sum(text in contradicting for text, _ in rows)
        message = "Rows have the same text as another row but a different label."
        findings.append(Finding(code="conflicting_duplicates", message=message, count=count))
    return findings
