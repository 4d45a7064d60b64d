"""From the task as asked to the task as trained: every field with a value, or a refusal that says which row or field to change."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from shared.datasets.columns import Columns, choose_columns, label_type, labels_of
from shared.datasets.labels import (
    EMPTY,
    EMPTY_PART,
    JOINT,
    JOINT_IN_NAME,
    LABEL_CHARS,
    LARGEST_NUMBER,
    LIST,
    NO_NUMBER,
    TOO_LARGE,
    TOO_LONG,
    UNKNOWN,
    label_problem,
    label_set,
    names_in,
)
from shared.datasets.readers.cells import ListCell, is_integer, listed, shown
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest, TaskType

PAPER_LENGTH = 128
"""Tokens; the length of the paper's and of most GLUE fine-tuning."""
MOST_LABELS = 5_000
ROWS_NAMED = 5

_UNFIT = {
    LIST: f"a list for a label; for several labels a row set task.type to {TaskType.MULTI_LABEL}.",
    EMPTY: "no label; fill it in or leave the row out.",
    EMPTY_PART: f"an empty name among the labels; labels are joined by {JOINT}.",
    TOO_LONG: f"a label of more than {LABEL_CHARS} characters; is this the label's column?",
    JOINT_IN_NAME: f"a label with {JOINT} in its name, which joins labels; name it otherwise.",
    NO_NUMBER: "a label that is no number; regression predicts numbers.",
    TOO_LARGE: f"a number larger than {LARGEST_NUMBER:g}; scale the numbers.",
}
"""How a sentence that begins with ``places`` goes on."""


def resolve_task(
    request: TaskRequest,
    table: Table,
    *,
    max_positions: int,
    split: bool = True,
    param: str = "training_file",
) -> Task:
    """The task for this training file.

    ``max_positions`` is the encoder's longest input in tokens. ``split`` says that validation rows are to be taken from this file,
    so that every label needs two. The order of the labels' names, unless given, is numeric if all are integers, else by code
    point. Raises ``InvalidValue`` with the ``param`` to change; ``param`` is what the file itself is called in the request.
    """
    if request.header != "auto" and table.header is not None and request.header != table.header:
        raise ValueError("the table was read with another header setting than the task asks for")
    if request.header is False and table.header is None:
        raise InvalidValue(f"A {table.format} file names its columns itself.", param="task.header")
    refuse_problems(table, param)
    columns = choose_columns(request, table)
    refuse_unfit_texts(table, columns)
    labels = labels_of(table, columns.label)
    kind = request.type or label_type(labels)
    refuse_unfit_labels(labels, table, kind)
    label_names = _label_names(request, kind, labels, table)
    if kind is TaskType.SINGLE_LABEL and split:
        _refuse_few(Counter(labels))
    return Task(
        type=kind,
        text_column=table.reference(columns.text),
        text_pair_column=None if columns.pair is None else table.reference(columns.pair),
        label_column=table.reference(columns.label),
        header=table.header is not False,
        label_names=label_names,
        positive_label=_positive_label(request, kind, label_names),
        max_seq_length=max_seq_length(request.max_seq_length, max_positions),
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


def refuse_unfit_texts(table: Table, columns: Columns) -> None:
    for column, param in zip(
        columns.texts(), ("task.text_column", "task.text_pair_column"), strict=False
    ):
        texts = table.cells(column)
        lists = [position for position, text in enumerate(texts) if isinstance(text, ListCell)]
        if lists:
            raise InvalidValue(
                f"{places(table, lists)} a list for a text; one text is read.", param=param
            )
        empty = [position for position, text in enumerate(texts) if not text.strip()]
        if empty:
            raise InvalidValue(
                f"{places(table, empty)} no text in this column; fill it in or leave the row out.",
                param=param,
            )


def places(table: Table, positions: Sequence[int]) -> str:
    """The beginning of a sentence about these rows: ``3 rows (4, 9 and 17) have``."""
    numbers = [str(table.row_numbers[position]) for position in positions[:ROWS_NAMED]]
    if len(positions) == 1:
        return f"Row {numbers[0]} has"
    more = len(positions) - len(numbers)
    return f"{len(positions):,} rows ({', '.join(numbers)}{f' and {more:,} more' if more else ''}) have"


def refuse_unfit_labels(labels: Sequence[str], table: Table, kind: TaskType) -> None:
    """Raises ``InvalidValue`` for the first thing in ``_UNFIT`` that is wrong with labels, naming the rows."""
    problems = [label_problem(label, kind) for label in labels]
    for unfit, words in _UNFIT.items():
        found = [position for position, problem in enumerate(problems) if problem is unfit]
        if found:
            param = "task.type" if unfit is LIST else "task.label_column"
            raise InvalidValue(f"{places(table, found)} {words}", param=param)


def _label_names(
    request: TaskRequest, kind: TaskType, labels: list[str], table: Table
) -> list[str]:
    if len({_meaning(label, kind) for label in labels}) < 2:
        raise InvalidValue(
            f"All rows have the same label ({shown(next(iter(labels), ''))}); there is nothing to tell apart.",
            param="task.label_column",
        )
    if kind is TaskType.REGRESSION:
        if request.label_names is not None:
            raise InvalidValue(
                "A regression's labels are numbers and have no names.", param="task.label_names"
            )
        return []
    if request.label_names is not None:
        return _given_names(request.label_names, kind, labels, table)
    seen = names_in(labels, kind)
    if len(seen) > MOST_LABELS:
        raise InvalidValue(
            f"The label column holds {len(seen):,} different labels, more than {MOST_LABELS:,}; is it the right column?",
            param="task.label_column",
        )
    if len(seen) < 2:
        raise InvalidValue(
            f"The only label is {shown(next(iter(seen)))}; for one label that a row has or has not, write two and use "
            f"{TaskType.SINGLE_LABEL}.",
            param="task.label_column",
        )
    if all(is_integer(label) for label in seen):
        return sorted(seen, key=lambda label: (int(label), label))
    return sorted(seen)


def _meaning(label: str, kind: TaskType) -> object:
    """Equal for cells that say the same."""
    match kind:
        case TaskType.SINGLE_LABEL:
            return label
        case TaskType.MULTI_LABEL:
            return frozenset(label_set(label))
        case TaskType.REGRESSION:
            return float(label)


def _given_names(given: list[str], kind: TaskType, labels: list[str], table: Table) -> list[str]:
    names = [name.strip() for name in given]
    known = set(names)
    if "" in known or len(known) < len(names):
        raise InvalidValue(
            "The label names must be different from each other and not blank.",
            param="task.label_names",
        )
    if kind is TaskType.MULTI_LABEL and any(JOINT in name for name in names):
        raise InvalidValue(
            f"A label's name may not hold {JOINT}, which joins labels.", param="task.label_names"
        )
    unknown = [
        position
        for position, label in enumerate(labels)
        if label_problem(label, kind, known) is UNKNOWN
    ]
    if unknown:
        others = sorted(names_in((labels[position] for position in unknown), kind) - known)
        raise InvalidValue(
            f"{places(table, unknown)} a label that is not among them: {listed(others, 5)}.",
            param="task.label_names",
        )
    return names


def _refuse_few(counts: Counter[str]) -> None:
    single = sorted(label for label, count in counts.items() if count < 2)
    if single:
        raise InvalidValue(
            f"A label needs two rows, one to train and one to validate on; these have one: {listed(single, 5)}. "
            "Add rows, leave these out, or give a validation_file.",
            param="task.label_column",
        )


def _positive_label(request: TaskRequest, kind: TaskType, label_names: list[str]) -> str | None:
    if request.positive_label is None:
        return label_names[1] if kind is TaskType.SINGLE_LABEL and len(label_names) == 2 else None
    if kind is not TaskType.SINGLE_LABEL:
        raise InvalidValue(
            f"A positive label is for {TaskType.SINGLE_LABEL}.", param="task.positive_label"
        )
    positive = request.positive_label.strip()
    if len(label_names) != 2:
        raise InvalidValue(
            f"There are {len(label_names)} labels; a positive one is for two.",
            param="task.positive_label",
        )
    if positive not in label_names:
        raise InvalidValue(
            f"The labels are {listed(label_names)}; this is none of them.",
            param="task.positive_label",
        )
    return positive


def max_seq_length(asked: int | Literal["auto"], max_positions: int) -> int:
    """Tokens that a row is cut to. Raises InvalidValue for more than the model has positions for."""
    if asked == "auto":
        return min(PAPER_LENGTH, max_positions)
    if asked > max_positions:
        raise InvalidValue(
            f"The model reads at most {max_positions} tokens.", param="task.max_seq_length"
        )
    return asked
