"""What a file holds and what is wrong with it, in the shape of ``GET /v1/files/{id}/validation``."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.datasets.columns import (
    ColumnIndices,
    ColumnKind,
    Detected,
    choose_columns,
    describe_columns,
    detect_column_kind,
    get_label_cells,
)
from shared.datasets.errors import RowProblem
from shared.datasets.labels import MAX_LABEL_CHARS, collect_label_names
from shared.datasets.profile.checks import (
    Finding,
    find_row_problems,
    find_table_warnings,
    find_task_warnings,
    make_columns_warning,
)
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.formats import Compression, Format
from shared.datasets.readers.rows import MAX_LISTED_PROBLEMS
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest, TaskType

MAX_LISTED_LABELS = 5_000
MAX_COLUMN_NAME_CHARS = 256
"""Longest name that a task can refer to."""


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ColumnProfile(_FrozenModel):
    index: int
    """From 0."""
    name: str | None
    """Null without a header."""
    kind: ColumnKind
    """What all its values are."""
    empty: int
    """Rows with nothing in this column."""
    distinct: int
    """Different values, the empty one not counted."""


class LabelCount(_FrozenModel):
    label: str
    """Its name."""
    count: int
    """Rows that have it."""


class TextLength(_FrozenModel):
    """Quantiles of the text's length over the rows, nearest rank; of a pair, both texts together."""

    unit: Literal["characters"] = "characters"
    """What is counted."""
    p50: int
    """The median."""
    p95: int
    """95 of 100 are no longer."""
    p99: int
    """99 of 100 are no longer."""
    max: int
    """The longest."""


class Validation(_FrozenModel):
    """The profile of a file; what depends on the columns' roles is null while these are not known."""

    valid: bool
    """Whether every row can be used; a job on a file that is not valid is refused."""
    format: Format
    """Told from the bytes, not from the name."""
    compression: Compression | None = None
    """What the file was unpacked from; null for a plain one."""
    encoding: str | None
    """`utf-8`; null for Parquet."""
    delimiter: str | None
    """Between the columns; null where the format has none."""
    header: bool | None
    """Whether the first line names the columns; null where the format has no such line."""
    rows: int
    """Data rows, those with errors included."""
    columns: list[ColumnProfile]
    """Counted over the rows that could be read."""
    detected: Detected | None
    """What the columns are, as far as their names tell."""
    labels: list[LabelCount] | None
    """Most frequent first; of a multi-label row each label counts. Null also where the label is a number to be predicted, or has too many
    values to be a class."""
    text_length: TextLength | None
    """Null while the columns are not known."""
    duplicates: int
    """Rows whose text and label (without known columns: all cells) are those of an earlier row."""
    empty_texts: int | None
    """Rows without a text; null while the columns are not known."""
    errors: list[RowProblem]
    """The first hundred."""
    errors_total: int
    """Of which `errors` has the first."""
    warnings: list[Finding]
    """What is worth knowing, and no reason to refuse a job."""


def build_validation(table: Table, task: TaskRequest | None = None) -> Validation:
    """The profile of the table, with columns as ``task`` says or as their names tell.

    Where the names do not tell, the fields that depend on them are null and a warning says so; but a task that names a column and
    leaves another open, or names one that does not exist, raises ``InvalidValue``.
    """
    task = task or TaskRequest()
    columns, question = _try_choose_columns(task, table)
    findings = find_table_warnings(table)
    detected = None
    if question is not None:
        findings.append(make_columns_warning(question))
    if columns is not None:
        detected = describe_columns(columns, table, task.type)
        findings += find_task_warnings(table, columns, detected.type)
    errors = find_row_problems(
        table, columns, None if detected is None else detected.type, task.label_names
    )
    errors_total = table.problems_total + len(errors)
    return Validation(
        valid=errors_total == 0,
        format=table.format,
        compression=table.compression,
        encoding=table.encoding,
        delimiter=table.delimiter,
        header=table.header,
        rows=table.total_rows,
        columns=[_profile_column(table, index) for index in range(table.width)],
        detected=detected,
        labels=_count_labels(table, columns, detected),
        text_length=_measure_text_length(table, columns),
        duplicates=_count_duplicates(table, columns),
        empty_texts=_count_empty_texts(table, columns),
        errors=sorted(
            (*table.problems, *errors[:MAX_LISTED_PROBLEMS]), key=lambda problem: problem.row
        )[:MAX_LISTED_PROBLEMS],
        errors_total=errors_total,
        warnings=findings,
    )


def _try_choose_columns(
    task: TaskRequest, table: Table
) -> tuple[ColumnIndices | None, InvalidValue | None]:
    try:
        return choose_columns(task, table), None
    except InvalidValue as question:
        if (task.text_column, task.text_pair_column, task.label_column) != (None, None, None):
            raise
        return None, question


def format_summary(validation: Validation) -> str:
    """One line about the file, for ``File.status_details``."""
    parts = [_format_count(validation.rows, "row")]
    if validation.detected is not None:
        texts = [validation.detected.text_column, validation.detected.text_pair_column]
        roles = " + ".join(_format_column(column) for column in texts if column is not None)
        parts.append(f"{roles} → {_format_column(validation.detected.label_column)}")
    else:
        parts.append("columns to be named in the job's task")
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


def _profile_column(table: Table, index: int) -> ColumnProfile:
    cells = table.get_cells(index)
    empty = cells.count("")
    return ColumnProfile(
        index=index,
        name=None
        if table.columns is None
        else format_name(table.columns[index], MAX_COLUMN_NAME_CHARS),
        kind=detect_column_kind(cells),
        empty=empty,
        distinct=len(set(cells)) - (empty > 0),
    )


def _count_labels(
    table: Table, columns: ColumnIndices | None, detected: Detected | None
) -> list[LabelCount] | None:
    if columns is None or detected is None or detected.type is TaskType.REGRESSION:
        return None
    names = (
        name
        for cell in get_label_cells(table, columns.label)
        for name in collect_label_names([cell], detected.type)
    )
    counts = Counter(name for name in names if 0 < len(name) <= MAX_LABEL_CHARS)
    if len(counts) > MAX_LISTED_LABELS:
        return None
    return [
        LabelCount(label=label, count=count)
        for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _get_text_cells(table: Table, columns: ColumnIndices) -> list[list[str]]:
    return [table.get_cells(column) for column in columns.list_text_columns()]


def _measure_text_length(table: Table, columns: ColumnIndices | None) -> TextLength | None:
    if columns is None or not table.rows:
        return None
    lengths = sorted(
        map(
            sum,
            zip(
                *([len(text) for text in texts] for texts in _get_text_cells(table, columns)),
                strict=True,
            ),
        )
    )
    return TextLength(
        p50=_compute_quantile(lengths, 50),
        p95=_compute_quantile(lengths, 95),
        p99=_compute_quantile(lengths, 99),
        max=lengths[-1],
    )


def _compute_quantile(ascending: Sequence[int], percent: int) -> int:
    """The smallest value that at least so many percent of the values do not exceed."""
    return ascending[-(-len(ascending) * percent // 100) - 1]


def _count_duplicates(table: Table, columns: ColumnIndices | None) -> int:
    if columns is None:
        return len(table.rows) - len(set(table.rows))
    return len(table.rows) - len(
        set(
            zip(
                *_get_text_cells(table, columns), get_label_cells(table, columns.label), strict=True
            )
        )
    )


def _count_empty_texts(table: Table, columns: ColumnIndices | None) -> int | None:
    if columns is None:
        return None
    return sum(
        not all(text.strip() for text in texts)
        for texts in zip(*_get_text_cells(table, columns), strict=True)
    )
