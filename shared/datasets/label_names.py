"""Label names of a task, in the order of the model's outputs, and the positive label."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.datasets.labels import (
    LABEL_SEPARATOR,
    UNKNOWN_LABEL,
    collect_label_names,
    find_label_problem,
    parse_label_set,
)
from shared.datasets.readers.cells import format_name, format_names, is_integer
from shared.datasets.readers.table import Table
from shared.datasets.task_checks import format_row_numbers
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest, TaskType

MAX_LABEL_NAMES = 5_000


def resolve_label_names(
    request: TaskRequest, task_type: TaskType, labels: list[str], table: Table
) -> list[str]:
    """Return the names as given, else sorted: numerically if all are integers, else by code
    point. A regression has none.
    """
    _require_different_labels(labels, task_type)
    if task_type is TaskType.REGRESSION:
        if request.label_names is not None:
            raise InvalidValue(
                "The labels of a regression are numbers. Leave task.label_names out.",
                param="task.label_names",
            )
        return []
    if request.label_names is not None:
        return _resolve_given_names(request.label_names, task_type, labels, table)
    return _sort_label_names(collect_label_names(labels, task_type))


def _require_different_labels(labels: Sequence[str], task_type: TaskType) -> None:
    if len({_parse_label_value(label, task_type) for label in labels}) < 2:
        raise InvalidValue(
            f"All rows have the same label ({format_name(next(iter(labels), ''))}). "
            "Training needs at least two different labels.",
            param="task.label_column",
        )


def _parse_label_value(label: str, task_type: TaskType) -> object:
    """Build a key that is equal for cells with the same meaning."""
    match task_type:
        case TaskType.SINGLE_LABEL:
            return label
        case TaskType.MULTI_LABEL:
            return frozenset(parse_label_set(label))
        case TaskType.REGRESSION:
            return float(label)


def _sort_label_names(seen: set[str]) -> list[str]:
    if len(seen) > MAX_LABEL_NAMES:
        raise InvalidValue(
            f"The label column has {len(seen):,} different labels, more than the limit of "
            f"{MAX_LABEL_NAMES:,}. Check that it is the right column.",
            param="task.label_column",
        )
    if len(seen) < 2:
        raise InvalidValue(
            f"The only label is {format_name(next(iter(seen)))}. If some rows have it and "
            f"others do not, use {TaskType.SINGLE_LABEL} with two labels.",
            param="task.label_column",
        )
    if all(is_integer(label) for label in seen):
        return sorted(seen, key=lambda label: (int(label), label))
    return sorted(seen)


def _resolve_given_names(
    given: list[str], task_type: TaskType, labels: list[str], table: Table
) -> list[str]:
    names = [name.strip() for name in given]
    _check_given_names(names, task_type)
    unknown = list_unknown_labels(labels, task_type, set(names))
    if unknown.positions:
        raise InvalidValue(
            f"{format_row_numbers(table, unknown.positions)} a label that is not in "
            f"task.label_names: {format_names(unknown.names, 5)}.",
            param="task.label_names",
        )
    return names


def _check_given_names(names: list[str], task_type: TaskType) -> None:
    if "" in names or len(set(names)) < len(names):
        raise InvalidValue(
            "The label names must be distinct and not blank.", param="task.label_names"
        )
    if task_type is TaskType.MULTI_LABEL and any(LABEL_SEPARATOR in name for name in names):
        raise InvalidValue(
            f"A label name must not contain {LABEL_SEPARATOR}, which separates labels.",
            param="task.label_names",
        )


class UnknownLabels(NamedTuple):
    """Rows whose label is not among the known ones, and those labels in order."""

    positions: list[int]
    names: list[str]


def list_unknown_labels(
    labels: Sequence[str], task_type: TaskType, known: set[str]
) -> UnknownLabels:
    positions = [
        position
        for position, label in enumerate(labels)
        if find_label_problem(label, task_type, known) is UNKNOWN_LABEL
    ]
    found = collect_label_names((labels[position] for position in positions), task_type)
    return UnknownLabels(positions, sorted(found - known))


def resolve_positive_label(
    request: TaskRequest, task_type: TaskType, label_names: list[str]
) -> str | None:
    """Return the label that binary F1 refers to; None for a task without one."""
    if request.positive_label is None:
        is_binary = task_type is TaskType.SINGLE_LABEL and len(label_names) == 2
        return label_names[1] if is_binary else None
    positive = request.positive_label.strip()
    if task_type is not TaskType.SINGLE_LABEL:
        message = f"Only {TaskType.SINGLE_LABEL} has a positive label. Leave it out."
    elif len(label_names) != 2:
        message = f"A positive label needs two labels, and this task has {len(label_names)}."
    elif positive not in label_names:
        message = f"The positive label must be one of the labels {format_names(label_names)}."
    else:
        return positive
    raise InvalidValue(message, param="task.positive_label")
