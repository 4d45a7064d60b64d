"""A table under a task: texts and label indices, ready to be tokenised."""

from dataclasses import dataclass

from shared.datasets.cells import listed
from shared.datasets.columns import Columns, choose_columns, labels_of
from shared.datasets.resolving import places, refuse_empty_texts, refuse_problems
from shared.datasets.table import Table
from shared.errors import InvalidValue
from shared.task import Task, TaskRequest


@dataclass(frozen=True, slots=True)
class Examples:
    """Entry ``i`` of each list is data row ``i + 1`` of the file: a file with a row that cannot be used is refused as a whole."""

    texts: list[str]
    pairs: list[str] | None
    """Second texts, for a task on pairs."""
    labels: list[int]
    """Indices into ``Task.label_names``."""

    def __len__(self) -> int:
        return len(self.labels)


def load_examples(table: Table, task: Task, *, param: str = "training_file") -> Examples:
    """The examples of a training, validation or test file, which is called ``param`` in the request.

    Raises ``InvalidValue`` with row numbers for a missing column, an empty text, or a label that the task does not know.
    """
    refuse_problems(table, param)
    try:
        columns = _columns(task, table)
        refuse_empty_texts(table, columns)
    except InvalidValue as error:
        raise InvalidValue(f"{error.message} ({error.param})", param=param) from None
    index = {name: position for position, name in enumerate(task.label_names)}
    labels = labels_of(table, columns.label)
    unknown = [position for position, label in enumerate(labels) if label not in index]
    if unknown:
        others = sorted({labels[position] for position in unknown})
        known = listed(task.label_names)
        raise InvalidValue(
            f"{places(table, unknown)} a label that the task does not know: {listed(others, 5)}. It knows {known}.",
            param=param,
        )
    return Examples(
        texts=table.cells(columns.text),
        pairs=None if columns.pair is None else table.cells(columns.pair),
        labels=[index[label] for label in labels],
    )


def _columns(task: Task, table: Table) -> Columns:
    asked = TaskRequest(
        text_column=task.text_column, text_pair_column=task.text_pair_column, label_column=task.label_column
    )
    return choose_columns(asked, table)
