"""Checks for small data: problems of single rows under a task, and warnings about the whole
file.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from shared.datasets.columns import ColumnIndices, get_label_cells
from shared.datasets.errors import RowProblem
from shared.datasets.labels import MAX_LABEL_CHARS, find_label_problem, parse_label_set
from shared.datasets.readers.cells import ListCell, format_name, format_names
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import SplitRequest, TaskType
from shared.metrics import MAJORITY_THRESHOLD

MIN_VALIDATION_ROWS = 100
"""With fewer rows, the standard error of a score exceeds 3 to 5 points and hides differences of
seeds.
"""
MIN_LABEL_ROWS = 10


class Finding(BaseModel):
    """A warning: the file can be used, but its owner should know."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    code: str
    """Stable machine-readable code."""
    message: str
    """Explanation for people."""
    count: int
    """Number of affected rows or labels."""


def make_columns_warning(error: InvalidValue) -> Finding:
    return Finding(code="columns_not_detected", message=error.message, count=1)


def find_row_problems(
    table: Table,
    columns: ColumnIndices | None,
    task_type: TaskType | None,
    label_names: list[str] | None,
) -> list[RowProblem]:
    """List the readable rows that cannot be used: an empty text, or a missing, malformed or
    unknown label.
    """
    if columns is None or task_type is None:
        return []
    known = None if label_names is None else {name.strip() for name in label_names}
    problems: list[RowProblem] = []
    for position, row in enumerate(table.rows):
        found = _find_row_problem(row, columns, task_type, known)
        if found is not None:
            column, code, message = found
            name = table.get_column_reference(column)
            problems.append(
                RowProblem(
                    row=table.row_numbers[position],
                    line=table.get_line_number(position),
                    column=format_name(name) if isinstance(name, str) else name,
                    code=code,
                    message=message,
                )
            )
    return problems


def _find_row_problem(
    row: tuple[str, ...], columns: ColumnIndices, task_type: TaskType, known_labels: set[str] | None
) -> tuple[int, str, str] | None:
    for column in columns.list_text_columns():
        if isinstance(row[column], ListCell):
            return column, "list_of_texts", "The text is a list instead of a single text."
        if not row[column].strip():
            return column, "empty_text", "The text is empty."
    problem = find_label_problem(row[columns.label], task_type, known_labels)
    return None if problem is None else (columns.label, *problem)


def find_table_warnings(table: Table) -> list[Finding]:
    """Warn about the file, whatever its columns mean."""
    findings = []
    if table.blank_lines:
        findings.append(
            Finding(
                code="blank_lines", message="Blank lines were skipped.", count=table.blank_lines
            )
        )
    if table.omitted_context_count:
        message = (
            "Chats have earlier messages besides a system prompt that all rows share. Only the "
            "last user message and its answer are read."
        )
        findings.append(
            Finding(
                code="chat_context_left_out", message=message, count=table.omitted_context_count
            )
        )
    if table.delimiter == "\t":
        quoted = sum(
            len(cell) > 1 and cell[0] == cell[-1] == '"' for row in table.rows for cell in row
        )
        if quoted * 10 > len(table.rows):
            message = (
                "Cells are in quotes, and in TSV the quotes are part of the text. If they are "
                "not meant as text, save the file as CSV."
            )
            findings.append(Finding(code="quoted_cells", message=message, count=quoted))
    replaced = sum("\ufffd" in cell for row in table.rows for cell in row)
    if replaced:
        message = (
            "Cells contain U+FFFD, which replaces characters lost in an earlier conversion. "
            "Export the data again as UTF-8."
        )
        findings.append(Finding(code="replacement_characters", message=message, count=replaced))
    return findings


def find_task_warnings(table: Table, columns: ColumnIndices, task_type: TaskType) -> list[Finding]:
    """Warn about these texts and labels."""
    texts = list(
        zip(*(table.get_cells(column) for column in columns.list_text_columns()), strict=True)
    )
    raw = table.get_cells(columns.label)
    labels = get_label_cells(table, columns.label)
    findings = _find_repeated_texts(texts, labels)
    match task_type:
        case TaskType.REGRESSION:
            message = (
                "The labels are read as numbers to predict (regression). If they are classes, "
                "set task.type."
            )
            findings.append(Finding(code="regression", message=message, count=len(set(labels))))
            return findings + _find_small_validation_set(len(labels))
        case TaskType.MULTI_LABEL:
            return findings + _find_label_set_warnings([parse_label_set(label) for label in labels])
        case TaskType.SINGLE_LABEL:
            if blanks := sum(label != cell for label, cell in zip(labels, raw, strict=True)):
                message = "Spaces before or after labels are ignored."
                findings.append(Finding(code="label_blanks", message=message, count=blanks))
            return findings + _find_label_warnings(
                Counter(label for label in labels if 0 < len(label) <= MAX_LABEL_CHARS)
            )


def _find_repeated_texts(texts: Sequence[tuple[str, ...]], labels: Sequence[str]) -> list[Finding]:
    labels_of_text: dict[tuple[str, ...], set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        labels_of_text.setdefault(text, set()).add(label)
    repeated = len(texts) - len(set(zip(texts, labels, strict=True)))
    contradicting = {text for text, seen in labels_of_text.items() if len(seen) > 1}
    findings = []
    if repeated:
        message = (
            "Rows repeat the text and label of an earlier row. A split may put one copy into "
            "training and another into validation."
        )
        findings.append(Finding(code="duplicate_rows", message=message, count=repeated))
    if contradicting:
        count = sum(text in contradicting for text in texts)
        message = "Rows have the same text as another row but a different label."
        findings.append(Finding(code="conflicting_duplicates", message=message, count=count))
    return findings


def _find_label_set_warnings(label_sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Warn about the rows' sets of labels."""
    counts = Counter(
        name for names in label_sets for name in names if 0 < len(name) <= MAX_LABEL_CHARS
    )
    findings = [
        *_find_label_collisions(counts),
        *_find_rare_labels(counts),
        *_find_small_validation_set(len(label_sets)),
    ]
    if unlabelled := sum(not names for names in label_sets):
        message = "Rows have no label. They count as rows to which none of the labels applies."
        findings.append(Finding(code="rows_without_labels", message=message, count=unlabelled))
    if everywhere := sorted(name for name, count in counts.items() if count == len(label_sets)):
        message = f"Labels that every row has cannot be learned: {format_names(everywhere, 6)}."
        findings.append(Finding(code="label_on_every_row", message=message, count=len(everywhere)))
    return findings


def _find_label_warnings(counts: Counter[str]) -> list[Finding]:
    rows = counts.total()
    if not rows:
        return []
    findings = []
    if len(counts) == 1:
        message = "All rows have the same label. A job needs at least two different labels."
        findings.append(Finding(code="single_label", message=message, count=rows))
    findings += _find_label_collisions(counts)
    label, most = counts.most_common(1)[0]
    if len(counts) > 1 and most > MAJORITY_THRESHOLD * rows:
        message = (
            f"{most / rows:.0%} of the rows have the label {format_name(label)}, so the "
            "default metric is Matthews correlation."
        )
        findings.append(Finding(code="imbalanced", message=message, count=most))
    return findings + _find_rare_labels(counts) + _find_small_validation_set(rows)


def _find_label_collisions(counts: Counter[str]) -> list[Finding]:
    """Find labels that a reader takes for the same: different in case only, or also in inner
    blanks and in Unicode forms.
    """
    by_case = _list_colliding_labels(counts, str.casefold)
    findings = []
    if by_case:
        message = f"Labels differ only in case: {format_names(by_case, 6)}."
        findings.append(Finding(code="label_case_collision", message=message, count=len(by_case)))
    if by_blanks := sorted(set(_list_colliding_labels(counts, _normalize_label)) - set(by_case)):
        message = (
            "Labels differ only in spaces or in the Unicode form of a character: "
            f"{format_names(by_blanks, 6)}."
        )
        findings.append(
            Finding(code="label_blank_collision", message=message, count=len(by_blanks))
        )
    return findings


def _list_colliding_labels(labels: Iterable[str], normalize: Callable[[str], str]) -> list[str]:
    """List the labels that look like another label, in order."""
    times = Counter(map(normalize, labels))
    return sorted(label for label in labels if times[normalize(label)] > 1)


def _normalize_label(label: str) -> str:
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def _find_rare_labels(counts: Counter[str]) -> list[Finding]:
    few = sorted(label for label, count in counts.items() if count < MIN_LABEL_ROWS)
    message = f"Labels have fewer than {MIN_LABEL_ROWS} rows: {format_names(few, 6)}."
    return [Finding(code="few_rows_of_label", message=message, count=len(few))] if few else []


def _find_small_validation_set(rows: int) -> list[Finding]:
    validation_rows = round(rows * SplitRequest().validation_fraction)
    if validation_rows >= MIN_VALIDATION_ROWS:
        return []
    message = (
        f"The default split has fewer than {MIN_VALIDATION_ROWS} validation rows, so scores "
        "are imprecise."
    )
    return [Finding(code="few_validation_rows", message=message, count=validation_rows)]
