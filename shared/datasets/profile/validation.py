"""The profile of a file and its problems, in the shape of ``GET /v1/files/{id}/validation``."""

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
"""Longest column name that a task can refer to."""


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ColumnProfile(_FrozenModel):
    index: int
    """Position of the column, from 0."""
    name: str | None
    """Column name; null without a header."""
    kind: ColumnKind
    """Kind of all its values."""
    empty: int
    """Rows without a value in this column."""
    distinct: int
    """Number of distinct values, not counting the empty one."""


class LabelCount(_FrozenModel):
    label: str
    """Label name."""
    count: int
    """Rows with this label."""


class TextLength(_FrozenModel):
    """Nearest-rank quantiles of the text length over the rows; for a pair, of both texts
    together.
    """

    unit: Literal["characters"] = "characters"
    """Unit of the lengths."""
    p50: int
    """Median of the text length."""
    p95: int
    """95th percentile of the text length."""
    p99: int
    """99th percentile of the text length."""
    max: int
    """Longest text."""


class Validation(_FrozenModel):
    """The profile of a file; fields that depend on the columns' roles are null until these are
    known.
    """

    valid: bool
    """Whether every row can be used; a job on an invalid file is refused."""
    format: Format
    """File format, recognised by content rather than name."""
    compression: Compression | None = None
    """Compression of the uploaded file; null if it was not compressed."""
    encoding: str | None
    """`utf-8`; null for Parquet."""
    delimiter: str | None
    """Column separator; null for formats without one."""
    header: bool | None
    """Whether the first line names the columns; null for formats without a header line."""
    rows: int
    """Number of data rows, including those with errors."""
    columns: list[ColumnProfile]
    """Columns, profiled over the readable rows."""
    detected: Detected | None
    """Roles of the columns, as far as their names reveal them."""
    labels: list[LabelCount] | None
    """Labels, most frequent first; each label of a multi-label row counts. Null for numbers to
    be predicted and for columns with too many values to be classes.
    """
    text_length: TextLength | None
    """Text lengths; null while the columns are unknown."""
    duplicates: int
    """Rows whose text and label (all cells if the columns are unknown) repeat an earlier row."""
    empty_texts: int | None
    """Rows without a text; null while the columns are unknown."""
    errors: list[RowProblem]
    """The first hundred row problems."""
    errors_total: int
    """Number of row problems; `errors` lists the first hundred."""
    warnings: list[Finding]
    """Findings that do not prevent a job."""


def build_validation(table: Table, task: TaskRequest | None = None) -> Validation:
    """Profile the table, with the columns of ``task`` or those that the names reveal.

    Fields that depend on unknown columns are null, and a warning says so. A task that names one
    column and leaves another open, or names a missing column, raises ``InvalidValue``.
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
    """Summarise the file in one line for ``File.status_details``."""
    parts = [_format_count(validation.rows, "row")]
    if validation.detected is not None:
        texts = [validation.detected.text_column, validation.detected.text_pair_column]
        roles = " + ".join(_format_column(column) for column in texts if column is not None)
        parts.append(f"{roles} → {_format_column(validation.detected.label_column)}")
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
    """Return the smallest value that at least ``percent`` percent of the values do not exceed."""
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
