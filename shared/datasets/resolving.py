"""From the task as asked to the task as trained: every field with a value, or a refusal that says which row or field to change."""

from collections import Counter
from collections.abc import Sequence

from shared.datasets.cells import is_integer, listed, shown
from shared.datasets.columns import Columns, choose_columns, label_type, labels_of
from shared.datasets.table import Table
from shared.errors import InvalidValue, TaskNotSupported
from shared.task import Task, TaskRequest, TaskType

PAPER_LENGTH = 128
"""Tokens; the length of the paper's and of most GLUE fine-tuning."""
MOST_LABELS = 5_000
LABEL_CHARS = 256
ROWS_NAMED = 5


def resolve_task(
    request: TaskRequest, table: Table, *, max_positions: int, split: bool = True, param: str = "training_file"
) -> Task:
    """The task for this training file.

    ``max_positions`` is the encoder's longest input in tokens. ``split`` says that validation rows are to be taken from this file,
    so that every label needs two. Labels are the cells without the blanks around them; their order, unless given, is numeric if
    all are integers, else by code point. Raises ``InvalidValue`` or ``TaskNotSupported`` with the ``param`` to change; ``param``
    is what the file itself is called in the request.
    """
    _refuse_unsupported(request.type)
    if request.header != "auto" and table.header is not None and request.header != table.header:
        raise ValueError("the table was read with another header setting than the task asks for")
    if request.header is False and table.header is None:
        raise InvalidValue(f"A {table.format} file names its columns itself.", param="task.header")
    refuse_problems(table, param)
    columns = choose_columns(request, table)
    refuse_empty_texts(table, columns)
    labels = labels_of(table, columns.label)
    _refuse_unfit_labels(labels, table)
    if request.type is None:
        _refuse_regression(labels)
    label_names = _label_names(request, labels, table)
    _refuse_few(Counter(labels), split)
    return Task(
        type=TaskType.SINGLE_LABEL,
        text_column=table.reference(columns.text),
        text_pair_column=None if columns.pair is None else table.reference(columns.pair),
        label_column=table.reference(columns.label),
        header=table.header is not False,
        label_names=label_names,
        positive_label=_positive_label(request, label_names),
        max_seq_length=_max_seq_length(request, max_positions),
    )


def refuse_problems(table: Table, param: str) -> None:
    if table.problems_total:
        first = table.problems[0]
        place = f"row {first.row}" if first.line is None else f"row {first.row}, line {first.line}"
        raise InvalidValue(
            f"{table.problems_total:,} of the file's {table.total_rows:,} rows cannot be read; the first: {place}: {first.message} "
            "The file's validation lists them.",
            param=param,
        )


def refuse_empty_texts(table: Table, columns: Columns) -> None:
    for column, param in zip(columns.texts(), ("task.text_column", "task.text_pair_column"), strict=False):
        empty = [position for position, text in enumerate(table.cells(column)) if not text.strip()]
        if empty:
            raise InvalidValue(
                f"{places(table, empty)} no text in this column; fill it in or leave the row out.", param=param
            )


def places(table: Table, positions: Sequence[int]) -> str:
    """The beginning of a sentence about these rows: ``3 rows (4, 9 and 17) have``."""
    numbers = [str(table.row_numbers[position]) for position in positions[:ROWS_NAMED]]
    if len(positions) == 1:
        return f"Row {numbers[0]} has"
    more = len(positions) - len(numbers)
    return f"{len(positions):,} rows ({', '.join(numbers)}{f' and {more:,} more' if more else ''}) have"


def _refuse_unsupported(kind: TaskType | None) -> None:
    if kind in (TaskType.REGRESSION, TaskType.MULTI_LABEL):
        raise TaskNotSupported(f"This version trains {TaskType.SINGLE_LABEL} only, not {kind}.", param="task.type")


def _refuse_unfit_labels(labels: list[str], table: Table) -> None:
    empty = [position for position, label in enumerate(labels) if not label]
    if empty:
        raise InvalidValue(
            f"{places(table, empty)} no label; fill it in or leave the row out.", param="task.label_column"
        )
    long = [position for position, label in enumerate(labels) if len(label) > LABEL_CHARS]
    if long:
        raise InvalidValue(
            f"{places(table, long)} a label of more than {LABEL_CHARS} characters; is this the label's column?",
            param="task.label_column",
        )


def _refuse_regression(labels: list[str]) -> None:
    if label_type(labels) is TaskType.REGRESSION:
        raise TaskNotSupported(
            f"The label column holds {len(set(labels)):,} different numbers, which is a regression task; this version trains "
            f"{TaskType.SINGLE_LABEL} only. If the numbers are classes, set task.type to {TaskType.SINGLE_LABEL}.",
            param="task.label_column",
        )


def _label_names(request: TaskRequest, labels: list[str], table: Table) -> list[str]:
    seen = set(labels)
    if request.label_names is not None:
        return _given_names(request.label_names, labels, table)
    if len(seen) > MOST_LABELS:
        raise InvalidValue(
            f"The label column holds {len(seen):,} different labels, more than {MOST_LABELS:,}; is it the right column?",
            param="task.label_column",
        )
    if len(seen) < 2:
        raise InvalidValue(
            f"All rows have the same label ({shown(next(iter(seen), ''))}); there is nothing to tell apart.",
            param="task.label_column",
        )
    if all(is_integer(label) for label in seen):
        return sorted(seen, key=lambda label: (int(label), label))
    return sorted(seen)


def _given_names(given: list[str], labels: list[str], table: Table) -> list[str]:
    names = [name.strip() for name in given]
    known = set(names)
    if "" in known or len(known) < len(names):
        raise InvalidValue("The label names must be different from each other and not blank.", param="task.label_names")
    unknown = [position for position, label in enumerate(labels) if label not in known]
    if unknown:
        others = sorted({labels[position] for position in unknown})
        raise InvalidValue(
            f"{places(table, unknown)} a label that is not among them: {listed(others, 5)}.", param="task.label_names"
        )
    if len(set(labels)) < 2:
        raise InvalidValue("All rows have the same label; there is nothing to tell apart.", param="task.label_column")
    return names


def _refuse_few(counts: Counter[str], split: bool) -> None:
    single = sorted(label for label, count in counts.items() if count < 2)
    if single and split:
        raise InvalidValue(
            f"A label needs two rows, one to train and one to validate on; these have one: {listed(single, 5)}. "
            "Add rows, leave these out, or give a validation_file.",
            param="task.label_column",
        )


def _positive_label(request: TaskRequest, label_names: list[str]) -> str | None:
    if request.positive_label is None:
        return label_names[1] if len(label_names) == 2 else None
    positive = request.positive_label.strip()
    if len(label_names) != 2:
        raise InvalidValue(
            f"There are {len(label_names)} labels; a positive one is for two.", param="task.positive_label"
        )
    if positive not in label_names:
        raise InvalidValue(f"The labels are {listed(label_names)}; this is none of them.", param="task.positive_label")
    return positive


def _max_seq_length(request: TaskRequest, max_positions: int) -> int:
    if request.max_seq_length == "auto":
        return min(PAPER_LENGTH, max_positions)
    if request.max_seq_length > max_positions:
        raise InvalidValue(f"The model reads at most {max_positions} tokens.", param="task.max_seq_length")
    return request.max_seq_length
