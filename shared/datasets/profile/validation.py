"""What a file holds and what is wrong with it, in the shape of ``GET /v1/files/{id}/validation``."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.datasets.columns import (
    Columns,
    Detected,
    Kind,
    choose_columns,
    describe,
    kind_of,
    labels_of,
)
from shared.datasets.errors import RowProblem
from shared.datasets.labels import LABEL_CHARS, names_in
from shared.datasets.profile.checks import (
    Finding,
    row_problems,
    table_findings,
    task_findings,
    undecided,
)
from shared.datasets.readers.cells import shown
from shared.datasets.readers.formats import Compression, Format
from shared.datasets.readers.rows import PROBLEMS_KEPT
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import TaskRequest, TaskType

LABELS_LISTED = 5_000
NAME_CHARS = 256
"""Longest name that a task can refer to."""


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ColumnProfile(_Shape):
    index: int
    """From 0."""
    name: str | None
    """Null without a header."""
    kind: Kind
    """What all its values are."""
    empty: int
    """Rows with nothing in this column."""
    distinct: int
    """Different values, the empty one not counted."""


class LabelCount(_Shape):
    label: str
    """Its name."""
    count: int
    """Rows that have it."""


class TextLength(_Shape):
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


class Validation(_Shape):
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


def validate(table: Table, task: TaskRequest | None = None) -> Validation:
    """The profile of the table, with columns as ``task`` says or as their names tell.

    Where the names do not tell, the fields that depend on them are null and a warning says so; but a task that names a column and
    leaves another open, or names one that does not exist, raises ``InvalidValue``.
    """
    task = task or TaskRequest()
    columns, question = _choose(task, table)
    findings = table_findings(table)
    detected = None
    if question is not None:
        findings.append(undecided(question))
    if columns is not None:
        detected = describe(columns, table, task.type)
        findings += task_findings(table, columns, detected.type)
    errors = row_problems(
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
        columns=[_column(table, index) for index in range(table.width)],
        detected=detected,
        labels=_labels(table, columns, detected),
        text_length=_text_length(table, columns),
        duplicates=_duplicates(table, columns),
        empty_texts=_empty_texts(table, columns),
        errors=sorted((*table.problems, *errors[:PROBLEMS_KEPT]), key=lambda problem: problem.row)[
            :PROBLEMS_KEPT
        ],
        errors_total=errors_total,
        warnings=findings,
    )


def _choose(task: TaskRequest, table: Table) -> tuple[Columns | None, InvalidValue | None]:
    try:
        return choose_columns(task, table), None
    except InvalidValue as question:
        if (task.text_column, task.text_pair_column, task.label_column) != (None, None, None):
            raise
        return None, question


def summary(validation: Validation) -> str:
    """One line about the file, for ``File.status_details``."""
    parts = [_counted(validation.rows, "row")]
    if validation.detected is not None:
        texts = [validation.detected.text_column, validation.detected.text_pair_column]
        roles = " + ".join(_called(column) for column in texts if column is not None)
        parts.append(f"{roles} → {_called(validation.detected.label_column)}")
    else:
        parts.append("columns to be named in the job's task")
    if validation.labels is not None:
        parts.append(_counted(len(validation.labels), "label"))
    for count, word in ((validation.errors_total, "error"), (len(validation.warnings), "warning")):
        if count:
            parts.append(_counted(count, word))
    return f"{validation.format.upper()}: {', '.join(parts)}."


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _called(column: str | int) -> str:
    return f"column {column}" if isinstance(column, int) else shown(column)


def _column(table: Table, index: int) -> ColumnProfile:
    cells = table.cells(index)
    empty = cells.count("")
    return ColumnProfile(
        index=index,
        name=None if table.columns is None else shown(table.columns[index], NAME_CHARS),
        kind=kind_of(cells),
        empty=empty,
        distinct=len(set(cells)) - (empty > 0),
    )


def _labels(
    table: Table, columns: Columns | None, detected: Detected | None
) -> list[LabelCount] | None:
    if columns is None or detected is None or detected.type is TaskType.REGRESSION:
        return None
    names = (
        name for cell in labels_of(table, columns.label) for name in names_in([cell], detected.type)
    )
    counts = Counter(name for name in names if 0 < len(name) <= LABEL_CHARS)
    if len(counts) > LABELS_LISTED:
        return None
    return [
        LabelCount(label=label, count=count)
        for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _texts(table: Table, columns: Columns) -> list[list[str]]:
    return [table.cells(column) for column in columns.texts()]


def _text_length(table: Table, columns: Columns | None) -> TextLength | None:
    if columns is None or not table.rows:
        return None
    lengths = sorted(
        map(
            sum,
            zip(*([len(text) for text in texts] for texts in _texts(table, columns)), strict=True),
        )
    )
    return TextLength(
        p50=_quantile(lengths, 50),
        p95=_quantile(lengths, 95),
        p99=_quantile(lengths, 99),
        max=lengths[-1],
    )


def _quantile(ascending: Sequence[int], percent: int) -> int:
    """The smallest value that at least so many percent of the values do not exceed."""
    return ascending[-(-len(ascending) * percent // 100) - 1]


def _duplicates(table: Table, columns: Columns | None) -> int:
    if columns is None:
        return len(table.rows) - len(set(table.rows))
    return len(table.rows) - len(
        set(zip(*_texts(table, columns), labels_of(table, columns.label), strict=True))
    )


def _empty_texts(table: Table, columns: Columns | None) -> int | None:
    if columns is None:
        return None
    return sum(
        not all(text.strip() for text in texts)
        for texts in zip(*_texts(table, columns), strict=True)
    )
