"""The profile of a file and its problems, built from its table."""

from shared.datasets.columns import ColumnIndices, choose_columns, describe_columns, get_label_cells
from shared.datasets.examples import find_task_columns
from shared.datasets.label_reading import read_label_column
from shared.datasets.profile.column_warnings import find_column_warnings
from shared.datasets.profile.row_problems import find_row_problems
from shared.datasets.profile.schemas import Finding
from shared.datasets.profile.schemas import Validation as Validation
from shared.datasets.profile.statistics import (
    count_duplicates,
    count_empty_texts,
    count_labels,
    measure_text_length,
    profile_column,
)
from shared.datasets.profile.table_warnings import find_table_warnings
from shared.datasets.profile.task_warnings import REPEATED_ROWS_CODE, find_task_warnings
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.rows import MAX_LISTED_PROBLEMS
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import Task, TaskRequest

LABEL_SET_CODES = frozenset(
    {
        "imbalanced",
        "few_validation_rows",
        "label_blank_collision",
        "label_case_collision",
        "label_number_collision",
        "label_on_every_row",
        "lists_of_one_label",
        "regression",
        "single_label",
        "unused_columns_ignored",
        "unused_text_columns",
    }
)
"""Codes about the choice of the task, which the training file settles, and about a default split
or metric, which other files have no part in."""
REPEATED_EVALUATION_ROWS = (
    "Rows repeat the text and label of an earlier row, so they count more than once in the scores."
)


def build_validation(table: Table, task: TaskRequest | None = None) -> Validation:
    """Profile the table, with the columns of ``task`` or those that the names reveal.

    Fields that depend on unknown columns are null, and a warning says so. A task that names one
    column and leaves another open, or names a missing column, raises ``InvalidValue``.
    """
    task = task or TaskRequest()
    columns, question = try_choose_columns(task, table)
    warnings = find_table_warnings(table)
    detected = labels = None
    if question is not None and not table.is_header_unclear:
        warnings.append(Finding(code="columns_not_detected", message=question.message, count=1))
    warnings += find_column_warnings(table, columns)
    if columns is not None:
        labels = read_label_column(
            get_label_cells(table, columns.label), task.type, task.label_names
        )
        detected = describe_columns(columns, table, labels.type)
        warnings += find_task_warnings(table, columns, labels)
    problems = find_row_problems(table, columns, labels, task.label_names)
    problems_total = table.problems_total + len(problems)
    listed = (*table.problems, *problems[:MAX_LISTED_PROBLEMS])
    return Validation(
        valid=problems_total == 0,
        format=table.format,
        compression=table.compression,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header=None if table.is_header_unclear else table.header,
        rows=table.total_rows,
        columns=[profile_column(table, index) for index in range(table.width)],
        detected=detected,
        labels=count_labels(labels),
        text_length=measure_text_length(table, columns),
        duplicates=count_duplicates(table, columns),
        empty_texts=count_empty_texts(table, columns),
        errors=sorted(listed, key=lambda problem: problem.row)[:MAX_LISTED_PROBLEMS],
        errors_total=problems_total,
        warnings=warnings,
    )


def find_warnings(table: Table, task: Task) -> list[Finding]:
    """Return the warnings about a file under a resolved task."""
    columns = find_task_columns(task, table)
    labels = read_label_column(
        get_label_cells(table, columns.label), task.type, task.label_names or None
    )
    return [
        *find_table_warnings(table),
        *find_column_warnings(table, columns),
        *find_task_warnings(table, columns, labels),
    ]


def find_evaluation_warnings(table: Table, task: Task) -> list[Finding]:
    """Return the warnings about a validation or test file, whose task the training file resolved.

    What holds of the label set as a whole is said of the training file alone.
    """
    findings = [one for one in find_warnings(table, task) if one.code not in LABEL_SET_CODES]
    return [
        one.model_copy(update={"message": REPEATED_EVALUATION_ROWS})
        if one.code == REPEATED_ROWS_CODE
        else one
        for one in findings
    ]


def try_choose_columns(
    task: TaskRequest, table: Table
) -> tuple[ColumnIndices | None, InvalidValue | None]:
    """Return the columns of the task, or the question that an open task leaves. Raises InvalidValue
    if the task names columns that do not fit.
    """
    try:
        return choose_columns(task, table), None
    except InvalidValue as question:
        if (task.text_column, task.text_pair_column, task.label_column) != (None, None, None):
            raise
        return None, question


def format_summary(validation: Validation) -> str:
    """Summarize the file in one line for ``File.status_details``."""
    parts = [_format_count(validation.rows, "row")]
    if validation.detected is not None:
        texts = [validation.detected.text_column, validation.detected.text_pair_column]
        roles = " + ".join(_format_column(column) for column in texts if column is not None)
        parts.append(f"{roles} → {_format_column(validation.detected.label_column)}")
    elif any(warning.code == "header_unclear" for warning in validation.warnings):
        parts.append("set the header in the job's task")
    else:
        parts.append("set the columns in the job's task")
    if validation.labels is not None:
        parts.append(_format_count(len(validation.labels), "label"))
    for count, word in ((validation.errors_total, "error"), (len(validation.warnings), "warning")):
        if count:
            parts.append(_format_count(count, word))
    return f"{validation.format.upper()}: {', '.join(parts)}."


def _format_count(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _format_column(column: str | int) -> str:
    return f"column {column}" if isinstance(column, int) else format_name(column)
