"""What the cells of a label column say under each kind of task, and what is wrong with those that cannot be read so.

A single label is the cell without the blanks around it. A regression's label is a decimal number. The labels of a multi-label row are
the values of a list, or of a cell the parts between ``|``; a cell without anything is a row without labels.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from shared.datasets.readers.cells import ListCell, is_number
from shared.domain.task import Label, Task, TaskType

LABEL_CHARS = 256
LARGEST_NUMBER = 1e15
"""Its square is still a float32, in which the loss is computed."""
JOINT = "|"


class LabelProblem(NamedTuple):
    code: str
    message: str


EMPTY = LabelProblem("empty_label", "The label is empty.")
TOO_LONG = LabelProblem("label_too_long", f"The label has more than {LABEL_CHARS} characters.")
UNKNOWN = LabelProblem("unknown_label", "The label is not among the label names.")
LIST = LabelProblem(
    "list_of_labels", "The label is a list, which only multi-label classification takes."
)
EMPTY_PART = LabelProblem(
    "empty_label", f"One of the row's labels is empty (labels are joined by {JOINT})."
)
JOINT_IN_NAME = LabelProblem(
    "label_with_joint", f"A label's name holds {JOINT}, which joins labels."
)
NO_NUMBER = LabelProblem(
    "label_not_a_number", "The label is not a number, and regression predicts numbers."
)
TOO_LARGE = LabelProblem(
    "label_too_large", f"The label's size is above {LARGEST_NUMBER:g}; scale the numbers."
)


def label_set(cell: str) -> tuple[str, ...]:
    """The names of a multi-label cell, in its order, each once, without the blanks around them."""
    if not cell.strip():
        return ()
    parts = cell.values() if isinstance(cell, ListCell) else cell.split(JOINT)
    return tuple(dict.fromkeys(part.strip() for part in parts))


def label_problem(
    cell: str, kind: TaskType, known: AbstractSet[str] | None = None
) -> LabelProblem | None:
    """What keeps this cell from being a label, or a set of labels, of the task; ``known`` are the names where they are given."""
    if kind is TaskType.MULTI_LABEL:
        found = (_name_problem(name, known) for name in label_set(cell))
        return next((problem for problem in found if problem is not None), None)
    if isinstance(cell, ListCell):
        return LIST
    label = cell.strip()
    if not label:
        return EMPTY
    if kind is TaskType.REGRESSION:
        return _number_problem(label)
    if len(label) > LABEL_CHARS:
        return TOO_LONG
    return UNKNOWN if known is not None and label not in known else None


def _name_problem(name: str, known: AbstractSet[str] | None) -> LabelProblem | None:
    if not name:
        return EMPTY_PART
    if len(name) > LABEL_CHARS:
        return TOO_LONG
    if JOINT in name:
        return JOINT_IN_NAME
    return UNKNOWN if known is not None and name not in known else None


def _number_problem(label: str) -> LabelProblem | None:
    if not is_number(label):
        return NO_NUMBER
    return TOO_LARGE if abs(float(label)) > LARGEST_NUMBER else None


def names_in(cells: Iterable[str], kind: TaskType) -> set[str]:
    """The label names that occur; none for a regression."""
    match kind:
        case TaskType.REGRESSION:
            return set()
        case TaskType.MULTI_LABEL:
            return {name for cell in cells for name in label_set(cell)}
        case TaskType.SINGLE_LABEL:
            return {cell.strip() for cell in cells}


def read_labels(cells: Sequence[str], task: Task) -> list[Label]:
    """The labels of cells that have no problem and no unknown name."""
    match task.type:
        case TaskType.REGRESSION:
            return [float(cell) for cell in cells]
        case TaskType.MULTI_LABEL:
            index = {name: position for position, name in enumerate(task.label_names)}
            return [tuple(sorted(index[name] for name in label_set(cell))) for cell in cells]
        case TaskType.SINGLE_LABEL:
            index = {name: position for position, name in enumerate(task.label_names)}
            return [index[cell.strip()] for cell in cells]
