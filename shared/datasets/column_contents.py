"""What the values of a column rule out: an id or a date is no text, and neither is a category.

Contents only ever turn a choice by names into a question, never a question into a choice.
"""

import re
from collections.abc import Callable, Sequence
from itertools import islice

from shared.datasets.readers.cells import ListCell, is_integer, is_number

MAX_SAMPLE_CELLS = 1_000
MIN_DISTINCT_SHARE = 0.2
"""Texts repeat less than categories: at least a fifth of their rows differ."""
MIN_TEXT_CHARS = 10
"""Mean length from which values of several words are texts."""
MIN_WORD_CHARS = 20
"""Mean length from which values are texts even without spaces, as in Chinese or Thai."""

MAX_NUMBER_CHARS = 40

UUID_PATTERN = re.compile(r"\{?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\}?", re.IGNORECASE)
DATE_PATTERN = re.compile(
    r"([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{4}|[0-9]{2}))"
    r"([ T][0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r"( ?(AM|PM|Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?)?",
    re.IGNORECASE,
)
NUMBERED_PATTERN = re.compile(r"[a-z]{0,8}[-_#:]?[0-9]{1,18}", re.IGNORECASE)
"""``tt0411008``, ``doc-12``, ``#7``."""


def _sample_values(cells: Sequence[str]) -> list[str]:
    filled = (cell.strip() for cell in cells if cell and not isinstance(cell, ListCell))
    return [value for value in islice(filled, MAX_SAMPLE_CELLS) if value]


def has_values(cells: Sequence[str]) -> bool:
    """Whether any row has a value that can be read."""
    return any(cells)


def holds_ids_or_dates(cells: Sequence[str]) -> bool:
    """Whether all values are dates, or all are different whole numbers or UUIDs."""
    values = _sample_values(cells)
    if len(values) < 2:
        return False
    if _all_match(values, DATE_PATTERN.fullmatch):
        return True
    return len(set(values)) == len(values) and (
        all(map(is_integer, values)) or _all_match(values, UUID_PATTERN.fullmatch)
    )


def holds_no_texts(cells: Sequence[str]) -> bool:
    """Whether all values are ids, dates or numbers, so that the column is hardly a text."""
    values = _sample_values(cells)
    if holds_ids_or_dates(cells) or (len(values) > 1 and all(map(_is_short_number, values))):
        return True
    return len(values) == len(set(values)) > 1 and _all_match(values, NUMBERED_PATTERN.fullmatch)


def holds_texts(cells: Sequence[str]) -> bool:
    """Whether the values look like sentences rather than categories, ids or numbers."""
    values = _sample_values(cells)
    if len(values) < 2 or holds_no_texts(cells):
        return False
    if len(set(values)) < max(2, MIN_DISTINCT_SHARE * len(values)):
        return False
    mean_chars = sum(map(len, values)) / len(values)
    has_words = 2 * sum(" " in value for value in values) >= len(values)
    return mean_chars >= (MIN_TEXT_CHARS if has_words else MIN_WORD_CHARS)


def _is_short_number(value: str) -> bool:
    return len(value) <= MAX_NUMBER_CHARS and is_number(value)


def _all_match(values: Sequence[str], match: Callable[[str], object]) -> bool:
    return all(match(value) for value in values)
