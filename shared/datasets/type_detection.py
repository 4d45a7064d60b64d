"""Types inferred from cells: of a column's values, and of the task that its labels stand for."""

from collections.abc import Sequence
from typing import Literal

from shared.datasets.missing_labels import stands_for_missing
from shared.datasets.number_forms import looks_like_number, normalize_numbers
from shared.datasets.readers.cells import ListCell, is_integer, is_number, is_whole_number
from shared.domain.task import TaskType

ColumnKind = Literal["text", "number", "integer"]

MAX_CLASS_NUMBERS = 20
"""Up to this many distinct integers always count as classes."""


MAX_BAD_SHARE = 0.1
"""Up to this share of the labels may be other words in a column of numbers."""
MAX_MISSING_SHARE = 0.3
"""Up to this share of the labels may be words for a missing value in a column of numbers."""


def detect_task_type(labels: Sequence[str]) -> TaskType:
    """Infer the kind of task: multi-label if there are lists; regression if all labels, apart from
    a few, are numbers but not class numbers; otherwise single-label.

    Class numbers are integers with at most ``MAX_CLASS_NUMBERS`` distinct values, or a range
    without gaps from 0 or 1 in which each value occurs more than once (77 intents numbered 0 to
    76).
    """
    if any(isinstance(label, ListCell) for label in labels):
        return TaskType.MULTI_LABEL
    filled = [label for label in labels if label]
    numbers = [label for label in normalize_numbers(filled) if looks_like_number(label)]
    if not numbers or _has_many_words(filled, len(numbers)):
        return TaskType.SINGLE_LABEL
    return TaskType.SINGLE_LABEL if _are_class_numbers(numbers) else TaskType.REGRESSION


def _has_many_words(labels: Sequence[str], number_count: int) -> bool:
    """Whether too many labels are no numbers for a column of numbers with a few bad cells."""
    if number_count == len(labels):
        return False
    missing = sum(map(stands_for_missing, labels))
    words = len(labels) - number_count - missing
    return missing > MAX_MISSING_SHARE * len(labels) or words > MAX_BAD_SHARE * len(labels)


def _are_class_numbers(numbers: Sequence[str]) -> bool:
    distinct = set(numbers)
    if not all(is_whole_number(label) for label in distinct):
        return False
    return len(distinct) <= MAX_CLASS_NUMBERS or (
        _is_gapless_range(distinct) and len(numbers) >= 2 * len(distinct)
    )


def _is_gapless_range(distinct: set[str]) -> bool:
    numbers = {float(label) for label in distinct}
    return min(numbers) in (0, 1) and max(numbers) - min(numbers) + 1 == len(numbers)


def detect_column_kind(cells: Sequence[str]) -> ColumnKind:
    """Return ``integer`` or ``number`` if all non-empty cells are; otherwise, or for an empty
    column, ``text``.
    """
    kind: ColumnKind = "integer"
    filled = False
    for cell in cells:
        if cell:
            filled = True
            if kind == "integer" and not is_integer(cell):
                kind = "number"
            if kind == "number" and not is_number(cell):
                return "text"
    return kind if filled else "text"
