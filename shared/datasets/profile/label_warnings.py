"""Warnings about the labels of a classification and how many rows they have."""

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.datasets.labels import MAX_LABEL_CHARS
from shared.datasets.profile.label_collisions import MAX_LISTED_NAMES, find_label_collisions
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.cells import format_name, format_names
from shared.domain.task import SplitRequest
from shared.metrics import MAJORITY_THRESHOLD

MIN_VALIDATION_ROWS = 100
"""With fewer rows, the standard error of a score exceeds 3 to 5 points and hides differences of
seeds.
"""
MIN_LABEL_ROWS = 10


def find_label_set_warnings(label_sets: Sequence[tuple[str, ...]]) -> list[Finding]:
    """Return the warnings about the label sets of a multi-label file."""
    counts = _count_usable_labels(name for names in label_sets for name in names)
    findings = [
        *find_label_collisions(counts),
        *_find_rare_labels(counts),
        *find_small_validation_set(len(label_sets)),
    ]
    if unlabelled := sum(not names for names in label_sets):
        message = "Rows have no label. They count as rows to which none of the labels applies."
        findings.append(Finding(code="rows_without_labels", message=message, count=unlabelled))
    if everywhere := sorted(name for name, count in counts.items() if count == len(label_sets)):
        listed = format_names(everywhere, MAX_LISTED_NAMES)
        message = f"Labels that every row has cannot be learned: {listed}."
        findings.append(Finding(code="label_on_every_row", message=message, count=len(everywhere)))
    return findings


def find_label_warnings(labels: Sequence[str]) -> list[Finding]:
    """Return the warnings about the labels of a single-label file."""
    counts = _count_usable_labels(labels)
    if not counts:
        return []
    return [
        *_find_single_label(counts),
        *find_label_collisions(counts),
        *_find_imbalance(counts),
        *_find_rare_labels(counts),
        *find_small_validation_set(counts.total()),
    ]


def _count_usable_labels(labels: Iterable[str]) -> Counter[str]:
    return Counter(label for label in labels if 0 < len(label) <= MAX_LABEL_CHARS)


def find_surrounding_blanks(cells: Sequence[str]) -> list[Finding]:
    count = sum(cell.strip() != cell for cell in cells)
    message = "Spaces before or after labels are ignored."
    return [Finding(code="label_blanks", message=message, count=count)] if count else []


def _find_single_label(counts: Counter[str]) -> list[Finding]:
    if len(counts) > 1:
        return []
    message = "All rows have the same label. A job needs at least two different labels."
    return [Finding(code="single_label", message=message, count=counts.total())]


def _find_imbalance(counts: Counter[str]) -> list[Finding]:
    rows = counts.total()
    label, most = counts.most_common(1)[0]
    if len(counts) == 1 or most <= MAJORITY_THRESHOLD * rows:
        return []
    message = (
        f"{most / rows:.0%} of the rows have the label {format_name(label)}, so the default metric "
        "is Matthews correlation."
    )
    return [Finding(code="imbalanced", message=message, count=most)]


def _find_rare_labels(counts: Counter[str]) -> list[Finding]:
    few = sorted(label for label, count in counts.items() if count < MIN_LABEL_ROWS)
    message = (
        f"Labels have fewer than {MIN_LABEL_ROWS} rows: {format_names(few, MAX_LISTED_NAMES)}."
    )
    return [Finding(code="few_rows_of_label", message=message, count=len(few))] if few else []


def find_small_validation_set(rows: int) -> list[Finding]:
    validation_rows = round(rows * SplitRequest().validation_fraction)
    if validation_rows >= MIN_VALIDATION_ROWS:
        return []
    message = (
        f"A job that trains on this file with the default split has fewer than "
        f"{MIN_VALIDATION_ROWS} validation rows, so its scores are imprecise."
    )
    return [Finding(code="few_validation_rows", message=message, count=validation_rows)]
