"""A table under a task: texts and labels, ready to be tokenised."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.datasets.columns import Columns, choose_columns, labels_of, locate
from shared.datasets.labels import UNKNOWN, label_problem, names_in, read_labels
from shared.datasets.readers.cells import listed
from shared.datasets.readers.table import Table
from shared.datasets.task_resolution import (
    places,
    refuse_problems,
    refuse_unfit_labels,
    refuse_unfit_texts,
)
from shared.domain.errors import InvalidValue
from shared.domain.task import Column, Label, Task, TaskRequest


@dataclass(frozen=True, slots=True)
class Examples:
    """Entry ``i`` of each list is data row ``i + 1`` of the file: a file with a row that cannot be used is refused as a whole."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    """Second texts, for a task on pairs."""
    labels: Sequence[Label]
    """An index into ``Task.label_names``, an ascending tuple of such (multi-label), or a number (regression), a row."""
    groups: Sequence[str] | None = None
    """Rows with the same value may not be parted by a split; None: any may."""
    num_labels: int = 0
    """How many labels the task has; 0 for a regression."""

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, rows: Sequence[int]) -> "Examples":
        """These rows only, in their order."""
        return Examples(
            texts=[self.texts[row] for row in rows],
            pairs=None if self.pairs is None else [self.pairs[row] for row in rows],
            labels=[self.labels[row] for row in rows],
            groups=None if self.groups is None else [self.groups[row] for row in rows],
            num_labels=self.num_labels,
        )


def load_examples(
    table: Table, task: Task, *, group_by: Column | None = None, param: str = "training_file"
) -> Examples:
    """The examples of a training, validation or test file, which is called ``param`` in the request.

    Raises ``InvalidValue`` with row numbers for a missing column, an empty text, a label that the task does not know or cannot read,
    or a row without a value in the column ``group_by``.
    """
    refuse_problems(table, param)
    try:
        columns = _columns(task, table)
        refuse_unfit_texts(table, columns)
        cells = labels_of(table, columns.label)
        refuse_unfit_labels(cells, table, task.type)
    except InvalidValue as error:
        raise InvalidValue(f"{error.message} ({error.param})", param=param) from None
    _refuse_unknown(cells, task, table, param)
    return Examples(
        texts=table.cells(columns.text),
        pairs=None if columns.pair is None else table.cells(columns.pair),
        labels=read_labels(cells, task),
        groups=None if group_by is None else _groups(table, group_by),
        num_labels=len(task.label_names),
    )


def _refuse_unknown(cells: list[str], task: Task, table: Table, param: str) -> None:
    known = set(task.label_names)
    unknown = [
        position
        for position, cell in enumerate(cells)
        if label_problem(cell, task.type, known) is UNKNOWN
    ]
    if unknown:
        others = sorted(names_in((cells[position] for position in unknown), task.type) - known)
        raise InvalidValue(
            f"{places(table, unknown)} a label that the task does not know: {listed(others, 5)}. "
            f"It knows {listed(task.label_names)}.",
            param=param,
        )


def _groups(table: Table, group_by: Column) -> list[str]:
    groups = table.cells(locate(group_by, table, "split.group_by"))
    empty = [position for position, group in enumerate(groups) if not group]
    if empty:
        raise InvalidValue(
            f"{places(table, empty)} no value in the column that groups the rows; fill it in or leave the row out.",
            param="split.group_by",
        )
    return groups


def _columns(task: Task, table: Table) -> Columns:
    asked = TaskRequest(
        text_column=task.text_column,
        text_pair_column=task.text_pair_column,
        label_column=task.label_column,
    )
    return choose_columns(asked, table)
