"""Reading of a label column: its kind of task, and its cells in the form that ``labels`` parses."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.datasets.label_lists import have_joined_numbers, split_joined_labels, unpack_lists
from shared.datasets.label_vectors import read_vectors, unpack_vectors
from shared.datasets.number_forms import normalize_numbers
from shared.datasets.readers.cells import ListCell, VectorCell
from shared.datasets.type_detection import detect_task_type
from shared.domain.task import TaskType


class LabelColumn(NamedTuple):
    type: TaskType
    """As given, or inferred from the cells."""
    cells: list[str]
    """Single labels, numbers in plain form, or lists of labels."""


def read_label_column(
    cells: Sequence[str], task_type: TaskType | None, label_names: Sequence[str] | None
) -> LabelColumn:
    """Read label cells without surrounding blanks.

    Given names decide how a cell is read; without them, the whole column does. The names that a
    column yields read it in the same way again.
    """
    names = None if label_names is None else [name.strip() for name in label_names]
    known = set(names) if names else None
    found = read_vectors(unpack_vectors(unpack_lists(cells, known), names), names)
    if task_type is None:
        task_type = detect_task_type(found)
        if task_type is TaskType.REGRESSION and have_joined_numbers(found):
            return LabelColumn(task_type, found)  # several class numbers or a decimal comma
    match task_type:
        case TaskType.MULTI_LABEL:
            return LabelColumn(task_type, split_joined_labels(found, known))
        case TaskType.REGRESSION:
            return LabelColumn(task_type, normalize_numbers(found))
        case TaskType.SINGLE_LABEL:
            return LabelColumn(task_type, [_unwrap_single_label(cell) for cell in found])


def _unwrap_single_label(cell: str) -> str:
    """Return the label of a list of exactly one; a list of several is not a single label."""
    if not isinstance(cell, ListCell) or isinstance(cell, VectorCell):
        return cell
    values = cell.parse_values()
    return cell if len(values) > 1 else "".join(values).strip()
