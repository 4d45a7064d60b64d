"""Texts and labels of a table under a task, or its texts alone, ready to be tokenised."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.datasets.class_names import restore_class_numbers
from shared.datasets.columns import ColumnIndices, choose_columns, find_column, get_label_cells
from shared.datasets.label_names import list_unknown_labels
from shared.datasets.label_reading import read_label_column
from shared.datasets.labels import parse_labels
from shared.datasets.readers.cells import format_names
from shared.datasets.readers.table import Table
from shared.datasets.task_checks import (
    check_cells,
    check_labels,
    check_readable_rows,
    check_texts,
    format_row_numbers,
)
from shared.domain.errors import InvalidValue
from shared.domain.task import ColumnReference, Label, Task, TaskRequest


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples of a file. Entry ``i`` of each list is data row ``i + 1``: a file with an
    unusable row is refused as a whole.
    """

    texts: Sequence[str]
    second_texts: Sequence[str] | None
    """Second texts, for a task on pairs."""
    labels: Sequence[Label]
    """One label per row: an index into ``Task.label_names``, an ascending tuple of indices
    (multi-label), or a number (regression). Empty for texts alone.
    """
    groups: Sequence[str] | None = None
    """Rows with the same value stay on the same side of a split; None: no groups."""
    num_labels: int = 0
    """Number of labels of the task; 0 for a regression."""

    def __len__(self) -> int:
        return len(self.texts)

    def select_rows(self, rows: Sequence[int]) -> "Examples":
        """Return the examples of these rows, in their order."""
        return Examples(
            texts=[self.texts[row] for row in rows],
            second_texts=None
            if self.second_texts is None
            else [self.second_texts[row] for row in rows],
            labels=[self.labels[row] for row in rows] if self.labels else (),
            groups=None if self.groups is None else [self.groups[row] for row in rows],
            num_labels=self.num_labels,
        )


def load_examples(
    table: Table,
    task: Task,
    *,
    group_by: ColumnReference | None = None,
    param: str = "training_file",
) -> Examples:
    """Load the examples of a training, validation or test file; ``param`` is the file's name in
    the request.

    Raises ``InvalidValue`` with row numbers for a missing column, an empty text, an unknown or
    unreadable label, or a row without a value in the column ``group_by``.
    """
    check_readable_rows(table, param)
    try:
        columns, cells = _check_columns(task, table)
    except InvalidValue as error:
        raise InvalidValue(f"{error.message} ({error.param})", param=param) from None
    _check_known_labels(cells, task, table, param)
    return Examples(
        texts=table.get_cells(columns.text),
        second_texts=None if columns.pair is None else table.get_cells(columns.pair),
        labels=parse_labels(cells, task),
        groups=None if group_by is None else _get_groups(table, group_by),
        num_labels=len(task.label_names),
    )


def load_texts(table: Table, task: Task, *, param: str) -> Examples:
    """Load the texts of a file without reading its labels, if it has any.

    Raises ``InvalidValue`` with row numbers for a missing column or an empty text.
    """
    check_readable_rows(table, param)
    try:
        text = find_column(task.text_column, table, "task.text_column")
        pair = (
            None
            if task.text_pair_column is None
            else find_column(task.text_pair_column, table, "task.text_pair_column")
        )
        check_texts(table, text, pair)
    except InvalidValue as error:
        raise InvalidValue(f"{error.message} ({error.param})", param=param) from None
    return Examples(
        texts=table.get_cells(text),
        second_texts=None if pair is None else table.get_cells(pair),
        labels=(),
        num_labels=len(task.label_names),
    )


def has_label_column(table: Table, task: Task) -> bool:
    """Return whether the file has the task's column of labels."""
    if isinstance(task.label_column, int):
        return task.label_column < table.width
    return task.label_column in (table.columns or ())


def _check_columns(task: Task, table: Table) -> tuple[ColumnIndices, list[str]]:
    """Return the task's columns in this file and the label cells."""
    columns = find_task_columns(task, table)
    check_texts(table, columns.text, columns.pair)
    check_cells(table, columns.label, "task.label_column")
    raw = restore_class_numbers(
        get_label_cells(table, columns.label),
        table.class_names.get(columns.label, {}),
        task.label_names,
    )
    cells = read_label_column(raw, task.type, task.label_names or None).cells
    check_labels(cells, table, task.type)
    return columns, cells


def _check_known_labels(cells: list[str], task: Task, table: Table, param: str) -> None:
    unknown = list_unknown_labels(cells, task.type, set(task.label_names))
    if unknown.positions:
        raise InvalidValue(
            f"{format_row_numbers(table, unknown.positions)} a label that the task does not have: "
            f"{format_names(unknown.names, 5)}. "
            f"The task's labels are {format_names(task.label_names)}.",
            param=param,
        )


def _get_groups(table: Table, group_by: ColumnReference) -> list[str]:
    column = find_column(group_by, table, "split.group_by")
    check_cells(table, column, "split.group_by")
    groups = table.get_cells(column)
    empty = [position for position, group in enumerate(groups) if not group]
    if empty:
        raise InvalidValue(
            f"{format_row_numbers(table, empty)} no value in the column split.group_by. "
            "Fill in the value or remove the row.",
            param="split.group_by",
        )
    return groups


def find_task_columns(task: Task, table: Table) -> ColumnIndices:
    """Return the columns of a resolved task in this file. Raises ``InvalidValue`` if one is
    missing.
    """
    asked = TaskRequest(
        text_column=task.text_column,
        text_pair_column=task.text_pair_column,
        label_column=task.label_column,
    )
    return choose_columns(asked, table)
