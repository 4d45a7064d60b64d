"""Which columns hold the text, its pair, and the label: as asked for, else told from their names, else a question to the user.

Nothing is guessed from contents: a wrong guess trains on the wrong column, a question costs a minute. So a file without a header
has no detected columns, unless two columns of which one is named leave the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.datasets.column_names import label_candidates, text_candidates
from shared.datasets.readers.cells import ListCell, is_integer, is_number, is_whole, listed, shown
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import Column, TaskRequest, TaskType

Kind = Literal["text", "number", "integer"]

CLASS_NUMBERS = 20
"""Up to so many different integers are classes in any case."""


class Detected(BaseModel):
    """What a file says by itself; columns by name, or by index where they have none."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    type: TaskType
    """Told from the labels."""
    text_column: str | int
    """The (first) text."""
    text_pair_column: str | int | None
    """The second text of a pair; null for single texts."""
    label_column: str | int
    """What is to be learned."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Indices into a row."""

    text: int
    pair: int | None
    label: int

    def texts(self) -> tuple[int, ...]:
        return (self.text,) if self.pair is None else (self.text, self.pair)


def describe(columns: Columns, table: Table, kind: TaskType | None = None) -> Detected:
    """These columns and what kind of task they make, unless that is given."""
    return Detected(
        type=kind or label_type(labels_of(table, columns.label)),
        text_column=table.reference(columns.text),
        text_pair_column=None if columns.pair is None else table.reference(columns.pair),
        label_column=table.reference(columns.label),
    )


def labels_of(table: Table, column: int) -> list[str]:
    """The labels, without the blanks around them: a blank at a label's end is a slip, never a class of its own."""
    return [
        label if isinstance(label, ListCell) else label.strip() for label in table.cells(column)
    ]


def label_type(labels: Sequence[str]) -> TaskType:
    """Multi-label if there are lists; regression if all labels are numbers and these are no class numbers; else single-label.

    Class numbers: whole numbers, at most ``CLASS_NUMBERS`` different ones, or a range without gaps from 0 or 1 in which each
    comes more than once (77 intents numbered 0 to 76).
    """
    if any(isinstance(label, ListCell) for label in labels):
        return TaskType.MULTI_LABEL
    distinct = set(labels) - {""}
    if not distinct or not all(is_number(label) for label in distinct):
        return TaskType.SINGLE_LABEL
    if not all(is_whole(label) for label in distinct):
        return TaskType.REGRESSION
    if len(distinct) <= CLASS_NUMBERS or (_is_range(distinct) and len(labels) >= 2 * len(distinct)):
        return TaskType.SINGLE_LABEL
    return TaskType.REGRESSION


def _is_range(distinct: set[str]) -> bool:
    numbers = {float(label) for label in distinct}
    return min(numbers) in (0, 1) and max(numbers) - min(numbers) + 1 == len(numbers)


def choose_columns(request: TaskRequest, table: Table) -> Columns:
    """The request's columns, and for what it leaves out the ones whose names are clear.

    Raises ``InvalidValue`` naming the field to set, with the columns there are.
    """
    asked_text = _locate(request.text_column, table, "task.text_column")
    asked_pair = _locate(request.text_pair_column, table, "task.text_pair_column")
    asked_label = _locate(request.label_column, table, "task.label_column")
    asked = {column for column in (asked_text, asked_pair, asked_label) if column is not None}
    label = asked_label if asked_label is not None else _label(table, asked)
    text, pair = (
        (asked_text, asked_pair) if asked_text is not None else _texts(table, asked_pair, label)
    )
    columns = Columns(text=text, pair=pair, label=label)
    _refuse_shared(columns, table)
    return columns


def _locate(column: Column | None, table: Table, param: str) -> int | None:
    return None if column is None else locate(column, table, param)


def locate(column: Column, table: Table, param: str) -> int:
    """The index of a column called by name or index. Raises ``InvalidValue`` with the columns there are."""
    match column:
        case int():
            if column >= table.width:
                raise InvalidValue(
                    f"There is no column {column}; the last one is {table.width - 1}, counted from 0.",
                    param=param,
                )
            return column
        case str():
            if table.columns is None:
                raise InvalidValue(
                    f"The file has no header, so its columns are called by their index, 0 to {table.width - 1}.",
                    param=param,
                )
            places = [index for index, name in enumerate(table.columns) if name == column]
            if len(places) > 1:
                raise InvalidValue(
                    f"{len(places)} columns have this name; give the index of one: {', '.join(map(str, places))}.",
                    param=param,
                )
            if not places:
                raise InvalidValue(f"The file has no such column. {_there_are(table)}", param=param)
            return places[0]


def _label(table: Table, asked: set[int]) -> int:
    candidates = [
        column for column in label_candidates(list(table.columns or ())) if column not in asked
    ]
    if not candidates and table.width == 2 and len(asked) == 1:
        return 1 - asked.pop()
    if len(candidates) != 1:
        raise _undecided("label", candidates, table, "task.label_column")
    return candidates[0]


def _texts(table: Table, asked_pair: int | None, label: int) -> tuple[int, int | None]:
    taken = {asked_pair, label}
    readings = [
        (text, pair)
        for text, pair in text_candidates(list(table.columns or ()))
        if text not in taken
        and (pair == asked_pair if asked_pair is not None else pair not in taken or pair is None)
    ]
    if not readings and table.width == 2 and asked_pair is None:
        return 1 - label, None
    if len(readings) != 1:
        columns = sorted(
            {column for reading in readings for column in reading if column is not None}
        )
        raise _undecided("text", columns, table, "task.text_column")
    return readings[0]


def _undecided(what: str, candidates: list[int], table: Table, param: str) -> InvalidValue:
    if table.columns is None:
        return InvalidValue(
            f"Set task.text_column and task.label_column. {_there_are(table)}", param=param
        )
    if candidates:
        names = listed([table.columns[column] for column in candidates])
        return InvalidValue(
            f"Several columns may hold the {what} ({names}); name one as {param}.", param=param
        )
    return InvalidValue(
        f"No column's name says that it holds the {what}; set {param}. {_there_are(table)}",
        param=param,
    )


def _there_are(table: Table) -> str:
    if table.columns is not None:
        return f"The columns are: {listed(list(table.columns))}."
    kinds = [f"{column} ({kind_of(table.cells(column))})" for column in range(min(table.width, 12))]
    return f"The file has no header; its columns by index are: {', '.join(kinds)}{', …' if table.width > 12 else ''}."


def kind_of(cells: Sequence[str]) -> Kind:
    """``integer`` or ``number`` if all cells that are not empty are; ``text`` otherwise, and for an empty column."""
    kind: Kind = "integer"
    filled = False
    for cell in cells:
        if cell:
            filled = True
            if kind == "integer" and not is_integer(cell):
                kind = "number"
            if kind == "number" and not is_number(cell):
                return "text"
    return kind if filled else "text"


def _refuse_shared(columns: Columns, table: Table) -> None:
    if columns.text == columns.label:
        raise InvalidValue(
            f"{_called(columns.label, table)} cannot be both text and label.",
            param="task.label_column",
        )
    if columns.pair in (columns.text, columns.label):
        raise InvalidValue(
            f"{_called(columns.pair, table)} cannot be the second text and another column as well.",
            param="task.text_pair_column",
        )


def _called(column: int, table: Table) -> str:
    reference = table.reference(column)
    return f"Column {reference}" if isinstance(reference, int) else f"Column {shown(reference)!r}"
