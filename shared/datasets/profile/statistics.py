"""Numbers of a profile: columns, label counts, text lengths, duplicates and empty texts."""

from collections import Counter
from collections.abc import Sequence

from shared.datasets.columns import ColumnIndices, get_label_cells
from shared.datasets.label_reading import LabelColumn
from shared.datasets.labels import MAX_LABEL_CHARS, collect_label_names
from shared.datasets.profile.schemas import ColumnProfile, LabelCount, TextLength
from shared.datasets.readers.cells import shorten_name
from shared.datasets.readers.table import Table
from shared.datasets.type_detection import detect_column_kind
from shared.domain.task import TaskType

MAX_LISTED_LABELS = 5_000
MAX_COLUMN_NAME_CHARS = 256
"""Longest column name that a task can refer to."""


def profile_column(table: Table, index: int) -> ColumnProfile:
    cells = table.get_cells(index)
    empty = cells.count("")
    return ColumnProfile(
        index=index,
        name=None
        if table.columns is None
        else shorten_name(table.columns[index], MAX_COLUMN_NAME_CHARS),
        kind=detect_column_kind(cells),
        empty=empty,
        distinct=len(set(cells)) - (empty > 0),
    )


def count_labels(labels: LabelColumn | None) -> list[LabelCount] | None:
    if labels is None or labels.type is TaskType.REGRESSION:
        return None
    names = (name for cell in labels.cells for name in collect_label_names([cell], labels.type))
    counts = Counter(name for name in names if 0 < len(name) <= MAX_LABEL_CHARS)
    if len(counts) > MAX_LISTED_LABELS:
        return None
    return [
        LabelCount(label=label, count=count)
        for label, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _get_text_cells(table: Table, columns: ColumnIndices) -> list[list[str]]:
    return [table.get_cells(column) for column in columns.list_text_columns()]


def measure_text_length(table: Table, columns: ColumnIndices | None) -> TextLength | None:
    if columns is None or not table.rows:
        return None
    lengths = sorted(
        sum(len(text) for text in texts)
        for texts in zip(*_get_text_cells(table, columns), strict=True)
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


def count_duplicates(table: Table, columns: ColumnIndices | None) -> int:
    if columns is None:
        return len(table.rows) - len(set(table.rows))
    labels = get_label_cells(table, columns.label)
    distinct = set(zip(*_get_text_cells(table, columns), labels, strict=True))
    return len(table.rows) - len(distinct)


def count_empty_texts(table: Table, columns: ColumnIndices | None) -> int | None:
    if columns is None:
        return None
    return sum(
        not all(text.strip() for text in texts)
        for texts in zip(*_get_text_cells(table, columns), strict=True)
    )
