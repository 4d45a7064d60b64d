"""Warnings about labels that a reader takes for the same label, or that hold hidden characters."""

from collections import Counter
from collections.abc import Callable, Iterable

from shared.datasets.labels import MAX_LABEL_CHARS
from shared.datasets.number_forms import normalize_numbers
from shared.datasets.profile.schemas import Finding
from shared.datasets.readers.cells import ListCell, format_name, format_names, is_number
from shared.datasets.readers.invisible import (
    STRAY_PATTERN,
    normalize_appearance,
    show_hidden_differences,
)

MAX_LISTED_NAMES = 6
MAX_COMPARED_LABELS = 5_000
"""A column with more labels is not compared: no job is possible on it."""


def find_label_collisions(labels: Iterable[str]) -> list[Finding]:
    """Find labels that differ only in case, in what cannot be seen, or in the form of a number."""
    distinct = sorted(set(labels))
    if len(distinct) > MAX_COMPARED_LABELS:
        return []
    by_case = _list_colliding_labels(distinct, str.casefold, str)
    by_look = _list_colliding_labels(distinct, normalize_appearance, str.casefold)
    by_number = _list_colliding_labels(distinct, _normalize_number, normalize_appearance)
    found = (
        ("label_case_collision", "Labels differ only in case", by_case),
        (
            "label_blank_collision",
            "Labels differ only in spaces, invisible characters or the Unicode form of a character",
            by_look,
        ),
        ("label_number_collision", "Labels are the same number written differently", by_number),
    )
    return [
        Finding(code=code, message=f"{text}: {_format_alike(names)}.", count=len(names))
        for code, text, names in found
        if names
    ]


def _list_colliding_labels(
    labels: list[str], normalize: Callable[[str], str], normalize_less: Callable[[str], str]
) -> list[str]:
    """List the labels that are equal after ``normalize`` to a label from which they still differ
    after ``normalize_less``.
    """
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(normalize(label), []).append(label)
    colliding = (group for group in groups.values() if len(set(map(normalize_less, group))) > 1)
    return sorted(label for group in colliding for label in group)


def _normalize_number(label: str) -> str:
    look = normalize_appearance(label)
    if not look[-1:].isdigit() and look[-1:] != ".":
        return look
    number = normalize_numbers([look])[0]
    if not is_number(number) or "e" in number:
        return number
    whole, _, fraction = number.lstrip("+-").partition(".")
    digits = (whole.lstrip("0") or "0") + f".{fraction}".rstrip("0").rstrip(".")
    return f"-{digits}" if number[0] == "-" and digits != "0" else digits


def _format_alike(names: list[str]) -> str:
    """Format the names so that no two of them look the same."""
    shown = Counter(format_name(name) for name in names)
    looks = Counter(normalize_appearance(look) for look in shown)
    if max(shown.values()) == 1 and (max(looks.values()) == 1 or all(map(str.isascii, names))):
        return format_names(names, MAX_LISTED_NAMES)
    return format_names([show_hidden_differences(name) for name in names], MAX_LISTED_NAMES)


def find_hidden_characters(cells: Iterable[str], places: Iterable[str]) -> list[Finding]:
    """Find labels with invisible characters that no word needs; ``places`` says where the cells
    are (``line 3``).
    """
    first_places: dict[str, str] = {}
    for cell, place in zip(cells, places, strict=True):
        if STRAY_PATTERN.search(cell) and len(cell) <= MAX_LABEL_CHARS:
            for name in cell.parse_values() if isinstance(cell, ListCell) else [cell]:
                if STRAY_PATTERN.search(name):
                    first_places.setdefault(name, place)
    if not first_places:
        return []
    listed = [f"{format_name(cell)} ({place})" for cell, place in first_places.items()]
    shown = ", ".join(listed[:MAX_LISTED_NAMES])
    message = f"Labels contain invisible characters, which are part of the label: {shown}."
    count = len(first_places)
    return [Finding(code="label_hidden_characters", message=message, count=count)]
