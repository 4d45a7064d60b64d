"""Warnings about how label cells are written: lists, joined names, numbers, missing labels."""

from collections import Counter
from collections.abc import Iterator, Sequence

from shared.datasets.label_lists import find_separator, is_list_text
from shared.datasets.label_reading import LabelColumn
from shared.datasets.labels import parse_label_set
from shared.datasets.missing_labels import find_missing_labels
from shared.datasets.profile.label_collisions import MAX_COMPARED_LABELS
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.cells import ListCell, VectorCell, format_name, is_number
from shared.domain.task import TaskType

LISTS_IN_TEXT = "Cells hold lists written as text. They are read as lists of labels."
ONE_LABEL_LISTS = (
    "Every list has exactly one label, and the task is read as multi-label. If exactly one label "
    f"applies to each text, set task.type to {TaskType.SINGLE_LABEL}."
)


def find_label_form_warnings(raw_cells: Sequence[str], labels: LabelColumn) -> list[Finding]:
    """Return the warnings about cells that were read as something else than they show.

    ``raw_cells`` are the cells of ``labels`` before they were read.
    """
    findings = list(_find_vectors(labels.cells))
    in_text = [
        not isinstance(raw, ListCell)
        and is_list_text(raw)
        and (isinstance(label, ListCell) or raw != label)
        for raw, label in zip(raw_cells, labels.cells, strict=True)
    ]
    if count := sum(in_text):
        findings.append(Finding(code="label_lists_in_text", message=LISTS_IN_TEXT, count=count))
    match labels.type:
        case TaskType.REGRESSION:
            findings += _find_rewritten_numbers(raw_cells, labels.cells)
        case TaskType.MULTI_LABEL:
            findings += _find_lists_of_one(labels.cells)
            findings += _find_split_cells(raw_cells, labels.cells, in_text)
            findings += _find_missing_labels(
                name for cell in labels.cells for name in parse_label_set(cell)
            )
        case TaskType.SINGLE_LABEL:
            findings += _find_joined_cells(labels.cells)
            findings += _find_missing_labels(iter(labels.cells))
    return findings


def _find_vectors(cells: Sequence[str]) -> Iterator[Finding]:
    vectors = [cell for cell in cells if isinstance(cell, VectorCell)]
    if vectors:
        places = max(len(cell.parse_values()) for cell in set(vectors))
        message = (
            f"The labels are vectors with up to {places} numbers, one for each label. Set "
            "task.label_names to the names of their places in order, or write the list of the "
            "names that apply."
        )
        yield Finding(code="label_vectors", message=message, count=len(vectors))


def _find_lists_of_one(cells: Sequence[str]) -> Iterator[Finding]:
    filled = Counter(cell for cell in cells if cell)
    if filled and all(
        isinstance(cell, ListCell) and len(cell.parse_values()) == 1 for cell in filled
    ):
        count = filled.total()
        yield Finding(code="lists_of_one_label", message=ONE_LABEL_LISTS, count=count)


def _find_split_cells(
    raw_cells: Sequence[str], cells: Sequence[str], in_text: Sequence[bool]
) -> Iterator[Finding]:
    """Find the cells that were split at another separator than ``|``, which always separates."""
    split = [
        raw
        for raw, cell, is_list in zip(raw_cells, cells, in_text, strict=True)
        if isinstance(cell, ListCell)
        and not isinstance(cell, VectorCell)
        and not isinstance(raw, ListCell)
        and not is_list
        and "|" not in raw
    ]
    if split:
        message = (
            f"Cells join several labels, such as {format_name(split[0])}. They are read as "
            "several labels."
        )
        yield Finding(code="labels_joined", message=message, count=len(split))


def _find_joined_cells(cells: Sequence[str]) -> Iterator[Finding]:
    """Find single labels that look like several."""
    distinct = set(cells)
    mark = find_separator(distinct) if len(distinct) <= MAX_COMPARED_LABELS else None
    if mark is None:
        return
    joined = [cell for cell in cells if mark in cell and not isinstance(cell, ListCell)]
    message = (
        f"Labels seem to join several by {mark!r}, such as {format_name(joined[0])}, and each "
        "combination is read as one label. If a row can have several labels, set task.type to "
        f"{TaskType.MULTI_LABEL}."
    )
    yield Finding(code="labels_joined", message=message, count=len(joined))


def _find_rewritten_numbers(raw_cells: Sequence[str], cells: Sequence[str]) -> Iterator[Finding]:
    rewritten = [
        (raw, cell)
        for raw, cell in zip(raw_cells, cells, strict=True)
        if raw != cell and is_number(cell)
    ]
    if rewritten:
        raw, number = rewritten[0]
        message = (
            f"Numbers are not written in plain form: {format_name(raw)} is read as {number}. If "
            "the cells are not numbers, set task.type."
        )
        yield Finding(code="number_format", message=message, count=len(rewritten))


def _find_missing_labels(names: Iterator[str]) -> Iterator[Finding]:
    for label, count in find_missing_labels(Counter(names)).items():
        message = (
            f"The label {format_name(label)} often means that a label is missing, but it is read "
            "as a label. Remove its rows if they have no label."
        )
        yield Finding(code="label_looks_missing", message=message, count=count)
