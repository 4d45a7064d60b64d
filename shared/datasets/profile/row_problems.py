"""Problems of single rows under a task: rows that can be read but not used."""

from shared.datasets.columns import ColumnIndices
from shared.datasets.errors import RowProblem
from shared.datasets.label_reading import LabelColumn
from shared.datasets.labels import find_label_problem
from shared.datasets.readers.cells import ListCell, format_name
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import UnreadableCell
from shared.domain.task import TaskType


def find_row_problems(
    table: Table,
    columns: ColumnIndices | None,
    labels: LabelColumn | None,
    label_names: list[str] | None,
) -> list[RowProblem]:
    """List the readable rows that cannot be used: an empty text, or a missing, malformed or
    unknown label.
    """
    if columns is None or labels is None:
        return []
    known = None if label_names is None else {name.strip() for name in label_names}
    found = (
        _find_row_problem(row, label, columns, labels.type, known)
        for row, label in zip(table.rows, labels.cells, strict=True)
    )
    return [
        _describe_problem(table, position, *problem)
        for position, problem in enumerate(found)
        if problem is not None
    ]


def _describe_problem(
    table: Table, position: int, column: int, code: str, message: str
) -> RowProblem:
    name = table.get_column_reference(column)
    return RowProblem(
        row=table.row_numbers[position],
        line=table.get_line_number(position),
        column=format_name(name) if isinstance(name, str) else name,
        code=code,
        message=message,
    )


def _find_row_problem(
    row: tuple[str, ...],
    label: str,
    columns: ColumnIndices,
    task_type: TaskType,
    known_labels: set[str] | None,
) -> tuple[int, str, str] | None:
    for column in columns.list_text_columns():
        text = row[column]
        if isinstance(text, UnreadableCell):
            return column, *text.problem
        if isinstance(text, ListCell):
            return column, "list_of_texts", "The text is a list instead of a single text."
        if not text.strip():
            return column, "empty_text", "The text is empty."
    problem = find_label_problem(label, task_type, known_labels)
    return None if problem is None else (columns.label, *problem)
