"""Recognition of the text, second-text and label columns: as requested, else by their names,
else by asking the user.

Contents are never used for guessing: a wrong guess trains on the wrong column, a question costs
a minute. They only turn a choice into a question (``column_contents``). A file without a header
therefore has no detected columns, unless one of its two columns is named in the request.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from shared.datasets.column_choice import choose_label_column, choose_text_columns
from shared.datasets.column_questions import format_available_columns, format_column
from shared.datasets.readers.cells import ListCell
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import UnreadableCell
from shared.datasets.type_detection import detect_task_type
from shared.domain.errors import InvalidValue
from shared.domain.task import ColumnReference, TaskRequest, TaskType


class Detected(BaseModel):
    """What the file's names reveal: columns by name, or by index if they have none."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    type: TaskType
    """Inferred from the labels."""
    text_column: str | int
    """The (first) text column."""
    text_pair_column: str | int | None
    """The second text column of a pair; null for single texts."""
    label_column: str | int
    """The label column."""


@dataclass(frozen=True, slots=True)
class ColumnIndices:
    """Column indices of a row."""

    text: int
    pair: int | None
    label: int

    def list_text_columns(self) -> tuple[int, ...]:
        return (self.text,) if self.pair is None else (self.text, self.pair)


def describe_columns(
    columns: ColumnIndices, table: Table, task_type: TaskType | None = None
) -> Detected:
    """Describe these columns and their kind of task, which is inferred unless given."""
    return Detected(
        type=task_type or detect_task_type(get_label_cells(table, columns.label)),
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
    )


def get_label_cells(table: Table, column: int) -> list[str]:
    """Return the labels without surrounding blanks: a blank at the end of a label is a typing
    error, not a part of its name.
    """
    return [
        label if isinstance(label, ListCell | UnreadableCell) else label.strip()
        for label in table.get_cells(column)
    ]


def choose_columns(request: TaskRequest, table: Table) -> ColumnIndices:
    """Return the requested columns, completed by those whose names are clear.

    Raises ``InvalidValue`` with the field to set and the columns of the file.
    """
    asked_text = _find_optional_column(request.text_column, table, "task.text_column")
    asked_pair = _find_optional_column(request.text_pair_column, table, "task.text_pair_column")
    asked_label = _find_optional_column(request.label_column, table, "task.label_column")
    asked = {column for column in (asked_text, asked_pair, asked_label) if column is not None}
    label = asked_label if asked_label is not None else choose_label_column(table, asked)
    text, pair = (
        (asked_text, asked_pair)
        if asked_text is not None
        else choose_text_columns(table, asked_pair, label)
    )
    columns = ColumnIndices(text=text, pair=pair, label=label)
    _check_distinct_columns(columns, table)
    return columns


def _find_optional_column(column: ColumnReference | None, table: Table, param: str) -> int | None:
    return None if column is None else find_column(column, table, param)


def find_column(column: ColumnReference, table: Table, param: str) -> int:
    """Return the index of a column given by name or index. Raises ``InvalidValue`` with the
    known columns.
    """
    if isinstance(column, str):
        return _find_named_column(column, table, param)
    if column >= table.width:
        raise InvalidValue(
            f"The file has no column {column}. Columns are counted from 0, so the last one is "
            f"{table.width - 1}.",
            param=param,
        )
    return column


def _find_named_column(name: str, table: Table, param: str) -> int:
    if table.columns is None:
        raise InvalidValue(
            "The file has no header, so its columns have no names. Use the index of a column, 0 "
            f"to {table.width - 1}.",
            param=param,
        )
    places = [index for index, known in enumerate(table.columns) if known == name]
    if len(places) == 1:
        return places[0]
    if places:
        indices = ", ".join(map(str, places))
        message = f"{len(places)} columns have this name. Use the index of one of them: {indices}."
    else:
        message = f"The file has no column with this name. {format_available_columns(table)}"
    raise InvalidValue(message, param=param)


def _check_distinct_columns(columns: ColumnIndices, table: Table) -> None:
    if columns.text == columns.label:
        raise InvalidValue(
            f"Column {format_column(columns.label, table)} cannot be both the text and the label.",
            param="task.label_column",
        )
    if columns.pair in (columns.text, columns.label):
        raise InvalidValue(
            (
                f"Column {format_column(columns.pair, table)} is already the text or the label. "
                "Choose another column for the second text."
            ),
            param="task.text_pair_column",
        )
