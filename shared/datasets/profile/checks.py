"""The doctor for small data: errors of single rows under a task, and warnings about the data as a whole."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from shared.datasets.columns import Columns, labels_of
from shared.datasets.errors import RowProblem
from shared.datasets.labels import LABEL_CHARS, label_problem, label_set
from shared.datasets.readers.cells import ListCell, listed, shown
from shared.datasets.readers.table import Table
from shared.domain.errors import InvalidValue
from shared.domain.task import SplitRequest, TaskType
from shared.metrics import MAJORITY_LIMIT

FEW_VALIDATION_ROWS = 100
"""With fewer, a score's standard error is above 3 to 5 points: differences between seeds drown in it."""
FEW_ROWS_OF_LABEL = 10


class Finding(BaseModel):
    """A warning: the file can be trained on, but somebody should know."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    code: str
    message: str
    count: int
    """Rows or labels it is about."""


def undecided(question: InvalidValue) -> Finding:
    return Finding(code="columns_not_detected", message=question.message, count=1)


def row_problems(
    table: Table, columns: Columns | None, kind: TaskType | None, label_names: list[str] | None
) -> list[RowProblem]:
    """The readable rows that cannot be trained on: an empty text, or a label that is none, or none of those given."""
    if columns is None or kind is None:
        return []
    known = None if label_names is None else {name.strip() for name in label_names}
    problems: list[RowProblem] = []
    for position, row in enumerate(table.rows):
        found = _row_problem(row, columns, kind, known)
        if found is not None:
            column, code, message = found
            name = table.reference(column)
            problems.append(
                RowProblem(
                    row=table.row_numbers[position],
                    line=table.line_of(position),
                    column=shown(name) if isinstance(name, str) else name,
                    code=code,
                    message=message,
                )
            )
    return problems


def _row_problem(
    row: tuple[str, ...], columns: Columns, kind: TaskType, known: set[str] | None
) -> tuple[int, str, str] | None:
    for column in columns.texts():
        if isinstance(row[column], ListCell):
            return column, "list_of_texts", "The text is a list; one text is read."
        if not row[column].strip():
            return column, "empty_text", "The text is empty."
    problem = label_problem(row[columns.label], kind, known)
    return None if problem is None else (columns.label, *problem)


def table_findings(table: Table) -> list[Finding]:
    """What can be said whatever the columns mean."""
    findings = []
    if table.blank_lines:
        findings.append(
            Finding(
                code="blank_lines", message="Blank lines were passed over.", count=table.blank_lines
            )
        )
    if table.context_left_out:
        message = "Chats say more before the last question than a system prompt that all rows share; it is not read."
        findings.append(
            Finding(code="chat_context_left_out", message=message, count=table.context_left_out)
        )
    if table.delimiter == "\t":
        quoted = sum(
            len(cell) > 1 and cell[0] == cell[-1] == '"' for row in table.rows for cell in row
        )
        if quoted * 10 > len(table.rows):
            message = "Cells are in quotes. TSV is read without quoting, so the quotes are part of the text; write the file as CSV."
            findings.append(Finding(code="quoted_cells", message=message, count=quoted))
    replaced = sum("\ufffd" in cell for row in table.rows for cell in row)
    if replaced:
        message = "Cells contain U+FFFD: letters were lost before the file came here."
        findings.append(Finding(code="replacement_characters", message=message, count=replaced))
    return findings


def task_findings(table: Table, columns: Columns, kind: TaskType) -> list[Finding]:
    """What can be said about these texts and labels."""
    texts = list(zip(*(table.cells(column) for column in columns.texts()), strict=True))
    raw = table.cells(columns.label)
    labels = labels_of(table, columns.label)
    findings = _repeated_texts(texts, labels)
    match kind:
        case TaskType.REGRESSION:
            message = "The labels are read as numbers to be predicted (regression); if they are classes, set task.type."
            findings.append(Finding(code="regression", message=message, count=len(set(labels))))
            return findings + _few_validation_rows(len(labels))
        case TaskType.MULTI_LABEL:
            return findings + _label_set_findings([label_set(label) for label in labels])
        case TaskType.SINGLE_LABEL:
            if blanks := sum(label != cell for label, cell in zip(labels, raw, strict=True)):
                message = "Labels had blanks around them, which were taken off."
                findings.append(Finding(code="label_blanks", message=message, count=blanks))
            return findings + _label_findings(
                Counter(label for label in labels if 0 < len(label) <= LABEL_CHARS)
            )


def _repeated_texts(texts: Sequence[tuple[str, ...]], labels: Sequence[str]) -> list[Finding]:
    labels_of_text: dict[tuple[str, ...], set[str]] = {}
    for text, label in zip(texts, labels, strict=True):
        labels_of_text.setdefault(text, set()).add(label)
    repeated = len(texts) - len(set(zip(texts, labels, strict=True)))
    contradicting = {text for text, seen in labels_of_text.items() if len(seen) > 1}
    findings = []
    if repeated:
        message = (
            "Rows repeat an earlier row's text and label; a split may put one copy on each side."
        )
        findings.append(Finding(code="duplicate_rows", message=message, count=repeated))
    if contradicting:
        count = sum(text in contradicting for text in texts)
        message = "Rows have the same text as another row, but another label."
        findings.append(Finding(code="conflicting_duplicates", message=message, count=count))
    return findings


def _label_set_findings(sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """What can be said about the rows' sets of labels."""
    counts = Counter(name for names in sets for name in names if 0 < len(name) <= LABEL_CHARS)
    findings = [
        *_case_collisions(counts),
        *_few_rows_of_label(counts),
        *_few_validation_rows(len(sets)),
    ]
    if unlabelled := sum(not names for names in sets):
        message = "Rows have no label, which is an answer as good as any."
        findings.append(Finding(code="rows_without_labels", message=message, count=unlabelled))
    if everywhere := sorted(name for name, count in counts.items() if count == len(sets)):
        message = f"Labels that every row has teach nothing: {listed(everywhere, 6)}."
        findings.append(Finding(code="label_on_every_row", message=message, count=len(everywhere)))
    return findings


def _label_findings(counts: Counter[str]) -> list[Finding]:
    rows = counts.total()
    if not rows:
        return []
    findings = []
    if len(counts) == 1:
        message = "All rows have the same label; a job needs two."
        findings.append(Finding(code="single_label", message=message, count=rows))
    findings += _case_collisions(counts)
    label, most = counts.most_common(1)[0]
    if len(counts) > 1 and most > MAJORITY_LIMIT * rows:
        message = f"{most / rows:.0%} of the rows have the label {shown(label)}; the default metric is Matthews correlation."
        findings.append(Finding(code="imbalanced", message=message, count=most))
    return findings + _few_rows_of_label(counts) + _few_validation_rows(rows)


def _case_collisions(counts: Counter[str]) -> list[Finding]:
    """Labels that a reader takes for one: apart from case alone, or also from blanks within and from how Unicode writes a letter."""
    by_case = _alike(counts, str.casefold)
    findings = []
    if by_case:
        message = f"Labels differ only in case: {listed(by_case, 6)}."
        findings.append(Finding(code="label_case_collision", message=message, count=len(by_case)))
    if by_blanks := sorted(set(_alike(counts, _without_blanks)) - set(by_case)):
        message = f"Labels differ from others only in blanks or in how a letter is encoded: {listed(by_blanks, 6)}."
        findings.append(
            Finding(code="label_blank_collision", message=message, count=len(by_blanks))
        )
    return findings


def _alike(labels: Iterable[str], reading: Callable[[str], str]) -> list[str]:
    """The labels that some other label is read like, in order."""
    times = Counter(map(reading, labels))
    return sorted(label for label in labels if times[reading(label)] > 1)


def _without_blanks(label: str) -> str:
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def _few_rows_of_label(counts: Counter[str]) -> list[Finding]:
    few = sorted(label for label, count in counts.items() if count < FEW_ROWS_OF_LABEL)
    message = f"Labels have fewer than {FEW_ROWS_OF_LABEL} rows: {listed(few, 6)}."
    return [Finding(code="few_rows_of_label", message=message, count=len(few))] if few else []


def _few_validation_rows(rows: int) -> list[Finding]:
    validation_rows = round(rows * SplitRequest().validation_fraction)
    if validation_rows >= FEW_VALIDATION_ROWS:
        return []
    message = f"The default split leaves fewer than {FEW_VALIDATION_ROWS} rows to validate on; scores on so few are coarse."
    return [Finding(code="few_validation_rows", message=message, count=validation_rows)]
