"""Checks of a table's rows against a task. A refusal names the first rows that do not fit."""

from collections import Counter
from collections.abc import Sequence

from shared.datasets.column_questions import format_column
from shared.datasets.labels import (
    EMPTY_LABEL,
    EMPTY_LABEL_PART,
    LABEL_NOT_A_NUMBER,
    LABEL_SEPARATOR,
    LABEL_TOO_LARGE,
    LABEL_TOO_LONG,
    LABEL_VECTOR,
    LIST_OF_LABELS,
    MAX_LABEL_CHARS,
    MAX_LABEL_NUMBER,
    NESTED_LABEL,
    SEPARATOR_IN_LABEL,
    UNCLEAR_COMMA,
    find_label_problem,
)
from shared.datasets.readers.cells import ListCell, format_names
from shared.datasets.readers.table import Table
from shared.datasets.readers.unreadable import find_unreadable
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskType
from shared.domain.wording import format_count

MAX_ROWS_NAMED = 5

_LABEL_PROBLEM_TEXTS = {
    LABEL_VECTOR: (
        "a vector of {places} numbers as the label, one for each label. Set task.label_names to "
        "the {places} names in their order, or write the list of the names that apply."
    ),
    NESTED_LABEL: (
        "a JSON object, or a list of objects or lists, as the label. Write the name of the label "
        "or a list of names."
    ),
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
    LABEL_NOT_A_NUMBER: (
        "a label that is not a number like 3.5, without thousands separators. Correct or remove "
        f"the rows, or set task.type to {TaskType.SINGLE_LABEL} if the labels are classes."
    ),
    UNCLEAR_COMMA: (
        "a number whose comma may be a decimal comma, or separate thousands or labels. Write "
        "numbers like 3.5, or set task.type."
    ),
    LABEL_TOO_LARGE: (
        f"a number above {MAX_LABEL_NUMBER:g} in absolute value. Scale the numbers down."
    ),
}
"""Continuations of a sentence that begins with row numbers."""

_PROBLEM_PARAMS = {
    LIST_OF_LABELS: "task.type",
    LABEL_VECTOR: "task.label_names",
    UNCLEAR_COMMA: "task.type",
}
"""Field to change, if it is not ``task.label_column``."""


def check_readable_rows(table: Table, param: str) -> None:
    """Raise ``InvalidValue`` for a file with rows that could not be read."""
    if table.problems_total:
        first = table.problems[0]
        place = f"row {first.row}" if first.line is None else f"row {first.row} (line {first.line})"
        raise InvalidValue(
            f"{table.problems_total:,} of the file's {format_count(table.total_rows, 'row')} "
            f"cannot be read; the file's validation lists them. The first is {place}: "
            f"{first.message}",
            param=param,
        )


def check_cells(table: Table, column: int, param: str) -> None:
    """Raise ``InvalidValue`` for rows whose value in this column could not be read."""
    for problem, positions in find_unreadable(table.get_cells(column)).items():
        name = format_column(column, table)
        raise InvalidValue(
            f"{format_row_numbers(table, positions)} a value in column {name} that cannot be "
            f"used: {problem.message}",
            param=param,
        )


def check_texts(table: Table, text: int, pair: int | None) -> None:
    """Raise ``InvalidValue`` for rows with an empty text or a list in place of a text."""
    for column, param in ((text, "task.text_column"), (pair, "task.text_pair_column")):
        if column is None:
            continue
        check_cells(table, column, param)
        texts = table.get_cells(column)
        lists = [position for position, text in enumerate(texts) if isinstance(text, ListCell)]
        if lists:
            rows = format_row_numbers(table, lists)
            raise InvalidValue(f"{rows} a list instead of a single text.", param=param)
        empty = [position for position, text in enumerate(texts) if not text.strip()]
        if empty:
            rows = format_row_numbers(table, empty)
            message = f"{rows} no text in this column. Fill in the text or remove the row."
            raise InvalidValue(message, param=param)


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
    for problem_kind, text in _LABEL_PROBLEM_TEXTS.items():
        found = [position for position, problem in enumerate(problems) if problem is problem_kind]
        if found:
            if problem_kind is LABEL_VECTOR:
                text = text.format(places=_count_places(labels[found[0]]))
            param = _PROBLEM_PARAMS.get(problem_kind, "task.label_column")
            raise InvalidValue(f"{format_row_numbers(table, found)} {text}", param=param)


def _count_places(cell: str) -> int:
    return len(cell.parse_values()) if isinstance(cell, ListCell) else 0


def check_label_counts(labels: Sequence[str]) -> None:
    """Raise ``InvalidValue`` for labels with too few rows for training and validation."""
    counts = Counter(labels)
    single = sorted(label for label, count in counts.items() if count < 2)
    if single:
        raise InvalidValue(
            "Each label needs two rows, one for training and one for validation; these labels "
            f"have one: {format_names(single, 5)}. "
            "Add rows for them, remove them, or give a validation_file.",
            param="task.label_column",
        )
