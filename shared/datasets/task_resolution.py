"""From the requested task to the resolved one: a value for every field, or an error that names
the row or field to change.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from shared.datasets.columns import ColumnIndices, choose_columns, detect_task_type, get_label_cells
from shared.datasets.labels import (
    EMPTY_LABEL,
    EMPTY_LABEL_PART,
    LABEL_NOT_A_NUMBER,
    LABEL_SEPARATOR,
    LABEL_TOO_LARGE,
    LABEL_TOO_LONG,
    LIST_OF_LABELS,
    MAX_LABEL_CHARS,
    MAX_LABEL_NUMBER,
    SEPARATOR_IN_LABEL,
    UNKNOWN_LABEL,
    collect_label_names,
    find_label_problem,
    parse_label_set,
)
from shared.datasets.readers.cells import ListCell, format_name, format_names, is_integer
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest, TaskType

DEFAULT_SEQ_LENGTH = 128
"""Tokens; the length in the paper and in most GLUE fine-tuning."""
MAX_LABEL_NAMES = 5_000
MAX_ROWS_NAMED = 5

_LABEL_PROBLEM_TEXTS = {
    LIST_OF_LABELS: (
        f"a list as the label. For several labels per row, set task.type to {TaskType.MULTI_LABEL}."
    ),
    EMPTY_LABEL: "no label. Fill in the label or remove the row.",
    EMPTY_LABEL_PART: f"an empty label among several. Labels are separated by {LABEL_SEPARATOR}.",
    LABEL_TOO_LONG: (
        f"a label of more than {MAX_LABEL_CHARS} characters. "
        "Check that task.label_column is the right column."
    ),
    SEPARATOR_IN_LABEL: (
        f"a label that contains {LABEL_SEPARATOR}, which separates labels. Rename the label."
    ),
    LABEL_NOT_A_NUMBER: "a label that is not a number. Regression needs numbers.",
    LABEL_TOO_LARGE: f"a number above {MAX_LABEL_NUMBER:g} in absolute value. Scale the numbers down.",
}
"""Continuations of a sentence that begins with row numbers."""


def resolve_task(
    request: TaskRequest,
    table: Table,
    *,
    max_positions: int,
    needs_validation_split: bool = True,
    param: str = "training_file",
) -> Task:
    """Resolve the task for this training file.

    ``max_positions`` is the encoder's longest input in tokens. ``split`` says that validation
    rows are taken from this file, so that every label needs two rows. Label names are ordered
    as given, else numerically if all are integers, else by code point. Raises ``InvalidValue``
    with the ``param`` to change; ``param`` names the file in the request.
    """
    if request.header != "auto" and table.header is not None and request.header != table.header:
        raise ValueError("the table was read with another header setting than the task asks for")
    if request.header is False and table.header is None:
        raise InvalidValue(
            f"A {table.format} file always names its columns. Leave task.header out.",
            param="task.header",
        )
    check_readable_rows(table, param)
    columns = choose_columns(request, table)
    check_texts(table, columns)
    labels = get_label_cells(table, columns.label)
    kind = request.type or detect_task_type(labels)
    check_labels(labels, table, kind)
    label_names = _resolve_label_names(request, kind, labels, table)
    if kind is TaskType.SINGLE_LABEL and needs_validation_split:
        _check_label_counts(Counter(labels))
    return Task(
        type=kind,
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
        header=table.header is not False,
        label_names=label_names,
        positive_label=_resolve_positive_label(request, kind, label_names),
        max_seq_length=resolve_max_seq_length(request.max_seq_length, max_positions),
    )


def check_readable_rows(table: Table, param: str) -> None:
    if table.problems_total:
        first = table.problems[0]
        place = f"row {first.row}" if first.line is None else f"row {first.row} (line {first.line})"
        raise InvalidValue(
            f"{table.problems_total:,} of the file's {table.total_rows:,} rows cannot be read; "
            f"the file's validation lists them. The first is {place}: {first.message}",
            param=param,
        )


def check_texts(table: Table, columns: ColumnIndices) -> None:
    for column, param in zip(
        columns.list_text_columns(), ("task.text_column", "task.text_pair_column"), strict=False
    ):
        texts = table.get_cells(column)
        lists = [position for position, text in enumerate(texts) if isinstance(text, ListCell)]
        if lists:
            raise InvalidValue(
                f"{format_row_numbers(table, lists)} a list instead of a single text.",
                param=param,
            )
        empty = [position for position, text in enumerate(texts) if not text.strip()]
        if empty:
            raise InvalidValue(
                (
                    f"{format_row_numbers(table, empty)} no text in this column. Fill in the "
                    "text or remove the row."
                ),
                param=param,
            )


def format_row_numbers(table: Table, positions: Sequence[int]) -> str:
    """Begin a sentence about these rows: ``3 rows (4, 9 and 17) have``."""
    numbers = [str(table.row_numbers[position]) for position in positions[:MAX_ROWS_NAMED]]
    if len(positions) == 1:
        return f"Row {numbers[0]} has"
    more = len(positions) - len(numbers)
    return (
        f"{len(positions):,} rows "
        f"({', '.join(numbers)}{f' and {more:,} more' if more else ''}) have"
    )


def check_labels(labels: Sequence[str], table: Table, task_type: TaskType) -> None:
    """Raise ``InvalidValue`` for the first applicable problem of ``_LABEL_PROBLEM_TEXTS``, with
    the rows.
    """
    problems = [find_label_problem(label, task_type) for label in labels]
    for unfit, words in _LABEL_PROBLEM_TEXTS.items():
        found = [position for position, problem in enumerate(problems) if problem is unfit]
        if found:
            param = "task.type" if unfit is LIST_OF_LABELS else "task.label_column"
            raise InvalidValue(f"{format_row_numbers(table, found)} {words}", param=param)


def _resolve_label_names(
    request: TaskRequest, task_type: TaskType, labels: list[str], table: Table
) -> list[str]:
    if len({_parse_label_value(label, task_type) for label in labels}) < 2:
        raise InvalidValue(
            (
                f"All rows have the same label ({format_name(next(iter(labels), ''))}). "
                "Training needs at least two different labels."
            ),
            param="task.label_column",
        )
    if task_type is TaskType.REGRESSION:
        if request.label_names is not None:
            raise InvalidValue(
                "The labels of a regression are numbers. Leave task.label_names out.",
                param="task.label_names",
            )
        return []
    if request.label_names is not None:
        return _resolve_given_names(request.label_names, task_type, labels, table)
    seen = collect_label_names(labels, task_type)
    if len(seen) > MAX_LABEL_NAMES:
        raise InvalidValue(
            (
                f"The label column has {len(seen):,} different labels, more than the limit of "
                f"{MAX_LABEL_NAMES:,}. Check that it is the right column."
            ),
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


def _parse_label_value(label: str, task_type: TaskType) -> object:
    """Build a key that is equal for cells with the same meaning."""
    match task_type:
        case TaskType.SINGLE_LABEL:
            return label
        case TaskType.MULTI_LABEL:
            return frozenset(parse_label_set(label))
        case TaskType.REGRESSION:
            return float(label)


def _resolve_given_names(
    given: list[str], task_type: TaskType, labels: list[str], table: Table
) -> list[str]:
    names = [name.strip() for name in given]
    known = set(names)
    if "" in known or len(known) < len(names):
        raise InvalidValue(
            "The label names must be distinct and not blank.",
            param="task.label_names",
        )
    if task_type is TaskType.MULTI_LABEL and any(LABEL_SEPARATOR in name for name in names):
        raise InvalidValue(
            f"A label name must not contain {LABEL_SEPARATOR}, which separates labels.",
            param="task.label_names",
        )
    unknown = [
        position
        for position, label in enumerate(labels)
        if find_label_problem(label, task_type, known) is UNKNOWN_LABEL
    ]
    if unknown:
        others = sorted(
            collect_label_names((labels[position] for position in unknown), task_type) - known
        )
        raise InvalidValue(
            (
                f"{format_row_numbers(table, unknown)} a label that is not in task.label_names: "
                f"{format_names(others, 5)}."
            ),
            param="task.label_names",
        )
    return names


def _check_label_counts(counts: Counter[str]) -> None:
    single = sorted(label for label, count in counts.items() if count < 2)
    if single:
        raise InvalidValue(
            "Each label needs two rows, one for training and one for validation; these labels "
            f"have one: {format_names(single, 5)}. "
            "Add rows for them, remove them, or give a validation_file.",
            param="task.label_column",
        )


def _resolve_positive_label(
    request: TaskRequest, task_type: TaskType, label_names: list[str]
) -> str | None:
    if request.positive_label is None:
        return (
            label_names[1] if task_type is TaskType.SINGLE_LABEL and len(label_names) == 2 else None
        )
    if task_type is not TaskType.SINGLE_LABEL:
        raise InvalidValue(
            f"Only {TaskType.SINGLE_LABEL} has a positive label. Leave task.positive_label out.",
            param="task.positive_label",
        )
    positive = request.positive_label.strip()
    if len(label_names) != 2:
        raise InvalidValue(
            f"A positive label needs exactly two labels, and this task has {len(label_names)}.",
            param="task.positive_label",
        )
    if positive not in label_names:
        raise InvalidValue(
            f"The positive label must be one of the labels {format_names(label_names)}.",
            param="task.positive_label",
        )
    return positive


def resolve_max_seq_length(requested: int | Literal["auto"], max_positions: int) -> int:
    """Resolve the number of tokens that a row is cut to. Raises InvalidValue for more than the
    model has positions for.
    """
    if requested == "auto":
        return min(DEFAULT_SEQ_LENGTH, max_positions)
    if requested > max_positions:
        raise InvalidValue(
            f"The model reads at most {max_positions} tokens. Lower task.max_seq_length.",
            param="task.max_seq_length",
        )
    return requested
