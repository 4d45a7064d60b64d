"""From the requested task to the resolved one: a value for every field, or an error that names
the row or field to change.
"""

from typing import Literal

from shared.datasets.columns import choose_columns, get_label_cells
from shared.datasets.label_names import resolve_label_names, resolve_positive_label
from shared.datasets.label_reading import read_label_column
from shared.datasets.readers.table import Table, describe_unclear_header
from shared.datasets.task_checks import (
    check_cells,
    check_label_counts,
    check_labels,
    check_readable_rows,
    check_texts,
)
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest, TaskType

DEFAULT_SEQ_LENGTH = 128
"""Tokens; the length in the paper and in most GLUE fine-tuning."""


def resolve_task(
    request: TaskRequest,
    table: Table,
    *,
    max_positions: int,
    needs_validation_split: bool = True,
    param: str = "training_file",
) -> Task:
    """Resolve the task for this training file.

    ``max_positions`` is the encoder's longest input in tokens. ``needs_validation_split`` says
    that validation rows are taken from this file, so that every label needs two rows. Raises
    ``InvalidValue`` with the ``param`` to change; ``param`` names the file in the request.
    """
    _check_header_setting(request, table)
    check_header_is_clear(table)
    check_readable_rows(table, param)
    columns = choose_columns(request, table)
    check_texts(table, columns.text, columns.pair)
    check_cells(table, columns.label, "task.label_column")
    task_type, labels = read_label_column(
        get_label_cells(table, columns.label), request.type, request.label_names
    )
    check_labels(labels, table, task_type)
    label_names = resolve_label_names(request, task_type, labels, table)
    if task_type is TaskType.SINGLE_LABEL and needs_validation_split:
        check_label_counts(labels)
    return Task(
        type=task_type,
        text_column=table.get_column_reference(columns.text),
        text_pair_column=None if columns.pair is None else table.get_column_reference(columns.pair),
        label_column=table.get_column_reference(columns.label),
        header=table.header is not False,
        label_names=label_names,
        positive_label=resolve_positive_label(request, task_type, label_names),
        max_seq_length=resolve_max_seq_length(request.max_seq_length, max_positions),
    )


def _check_header_setting(request: TaskRequest, table: Table) -> None:
    if request.header != "auto" and table.header is not None and request.header != table.header:
        raise ValueError("the table was read with another header setting than the task has")
    if request.header is False and table.header is None:
        raise InvalidValue(
            f"A {table.format} file always names its columns. Leave task.header out.",
            param="task.header",
        )


def check_header_is_clear(table: Table, param: str = "task.header") -> None:
    """Raise ``InvalidValue`` if the evidence for a header line is split."""
    if table.is_header_unclear:
        raise InvalidValue(describe_unclear_header(table), param=param)


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
