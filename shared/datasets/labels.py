"""Parsing of label cells for each kind of task, and the problems of cells that cannot be
parsed.

A single label is the cell without surrounding blanks. A regression's label is a decimal number.
The labels of a multi-label row are the values of a list or the parts of a cell between ``|``;
an empty cell is a row without labels.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.datasets.number_forms import looks_like_number
from shared.datasets.readers.cells import ListCell, NestedCell, VectorCell, is_number
from shared.datasets.readers.unreadable import UnreadableCell
from shared.domain.task import Label, Task, TaskType

MAX_LABEL_CHARS = 256
MAX_LABEL_NUMBER = 1e15
"""Largest number whose square is still a float32, in which the loss is computed."""
LABEL_SEPARATOR = "|"


class LabelProblem(NamedTuple):
    code: str
    message: str


EMPTY_LABEL = LabelProblem("empty_label", "The label is empty.")
LABEL_TOO_LONG = LabelProblem(
    "label_too_long", f"The label has more than {MAX_LABEL_CHARS} characters."
)
UNKNOWN_LABEL = LabelProblem("unknown_label", "The label is not one of the given label names.")
LIST_OF_LABELS = LabelProblem(
    "list_of_labels", "The label is a list. Only multi-label classification has lists of labels."
)
EMPTY_LABEL_PART = LabelProblem(
    "empty_label", f"One of the row's labels is empty (labels are separated by {LABEL_SEPARATOR})."
)
SEPARATOR_IN_LABEL = LabelProblem(
    "label_with_joint", f"A label name contains {LABEL_SEPARATOR}, which separates labels."
)
LABEL_NOT_A_NUMBER = LabelProblem(
    "label_not_a_number",
    "The label is not a number like 3.5, without thousands separators. If the labels are classes, "
    f"set task.type to {TaskType.SINGLE_LABEL}.",
)
UNCLEAR_COMMA = LabelProblem(
    "label_not_a_number",
    "The comma of the number may be a decimal comma, or separate thousands or labels. Write "
    "numbers like 3.5, or set task.type.",
)
NESTED_LABEL = LabelProblem(
    "nested_value",
    "The label is a JSON object, or a list of objects or lists. Write the name of the label or a "
    "list of names.",
)
LABEL_VECTOR = LabelProblem(
    "label_vectors",
    "The label is a vector with one number for each label. Set task.label_names to the names of "
    "its places in their order, or write the list of the names that apply.",
)
LABEL_TOO_LARGE = LabelProblem(
    "label_too_large",
    f"The label exceeds {MAX_LABEL_NUMBER:g} in absolute value. Scale the numbers down.",
)


def parse_label_set(cell: str) -> tuple[str, ...]:
    """Return the distinct names of a multi-label cell in their order, without surrounding
    blanks. A vector has no names.
    """
    if not cell.strip() or isinstance(cell, VectorCell):
        return ()
    parts = cell.parse_values() if isinstance(cell, ListCell) else cell.split(LABEL_SEPARATOR)
    return tuple(dict.fromkeys(part.strip() for part in parts))


def find_label_problem(
    cell: str, task_type: TaskType, known_labels: AbstractSet[str] | None = None
) -> LabelProblem | None:
    """Describe why this cell is not a label, or set of labels, of the task; ``known_labels`` are
    the given names.
    """
    if isinstance(cell, UnreadableCell):
        return LabelProblem(*cell.problem)
    if isinstance(cell, VectorCell):
        return LABEL_VECTOR
    if isinstance(cell, NestedCell):
        return NESTED_LABEL
    if task_type is TaskType.MULTI_LABEL:
        found = (_find_name_problem(name, known_labels) for name in parse_label_set(cell))
        return next((problem for problem in found if problem is not None), None)
    if isinstance(cell, ListCell):
        return LIST_OF_LABELS
    label = cell.strip()
    if not label:
        return EMPTY_LABEL
    if task_type is TaskType.REGRESSION:
        return _find_number_problem(label)
    if len(label) > MAX_LABEL_CHARS:
        return LABEL_TOO_LONG
    return UNKNOWN_LABEL if known_labels is not None and label not in known_labels else None


def _find_name_problem(name: str, known_labels: AbstractSet[str] | None) -> LabelProblem | None:
    if not name:
        return EMPTY_LABEL_PART
    if len(name) > MAX_LABEL_CHARS:
        return LABEL_TOO_LONG
    if LABEL_SEPARATOR in name:
        return SEPARATOR_IN_LABEL
    return UNKNOWN_LABEL if known_labels is not None and name not in known_labels else None


def _find_number_problem(label: str) -> LabelProblem | None:
    if not is_number(label):
        return UNCLEAR_COMMA if looks_like_number(label) else LABEL_NOT_A_NUMBER
    return LABEL_TOO_LARGE if abs(float(label)) > MAX_LABEL_NUMBER else None


def collect_label_names(cells: Iterable[str], task_type: TaskType) -> set[str]:
    """Collect the label names that occur; empty for a regression."""
    match task_type:
        case TaskType.REGRESSION:
            return set()
        case TaskType.MULTI_LABEL:
            return {name for cell in cells for name in parse_label_set(cell)}
        case TaskType.SINGLE_LABEL:
            return {cell.strip() for cell in cells}


def parse_labels(cells: Sequence[str], task: Task) -> list[Label]:
    """Parse cells that have no problem and no unknown name."""
    match task.type:
        case TaskType.REGRESSION:
            return [float(cell) for cell in cells]
        case TaskType.MULTI_LABEL:
            index = {name: position for position, name in enumerate(task.label_names)}
            return [tuple(sorted(index[name] for name in parse_label_set(cell))) for cell in cells]
        case TaskType.SINGLE_LABEL:
            index = {name: position for position, name in enumerate(task.label_names)}
            return [index[cell.strip()] for cell in cells]
