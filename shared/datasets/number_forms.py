"""Numbers as people write them: with a decimal comma, separated thousands or another minus sign.

A comma is decimal in ``3,5`` and separates thousands in ``1,234.5``; in ``1,234`` it may be
either. The whole column decides, and a column that does not decide is left as it is, so that its
numbers are refused instead of guessed.
"""

import re
from collections.abc import Collection, Sequence

from shared.datasets.readers.cells import ListCell, is_number

DECIMAL_COMMA_PATTERN = re.compile(r"[+-]?[0-9]*,[0-9]+")
GROUPED_PATTERN = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")
SPACED_PATTERN = re.compile(
    r"[+-]?[1-9][0-9]{0,2}([ \u00a0\u2009\u202f'\u2019][0-9]{3})+([.,][0-9]+)?"
)
MINUS_SIGNS = ("\u2212", "\u2013", "\ufe63", "\uff0d")
MAX_NUMBER_CHARS = 400
"""Longer cells are no numbers in these forms."""

_LAST_CHARACTERS = frozenset("0123456789.")
_THOUSANDS_SPACES = str.maketrans("", "", " \u00a0\u2009\u202f'\u2019")


def normalize_numbers(cells: Sequence[str]) -> list[str]:
    """Rewrite the numbers of a column in plain form (``-1234.5``); other cells stay as they are."""
    if all(is_number(cell) for cell in set(cells)):
        return list(cells)
    plain = {cell: _normalize_signs_and_spaces(cell) for cell in set(cells)}
    mark = _find_comma_meaning([cell for cell in plain.values() if looks_like_number(cell)])
    return [_replace_comma(cell, plain[cell], mark) for cell in cells]


def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number, or would be one if its comma were clear."""
    return cell[-1:] in _LAST_CHARACTERS and (is_number(cell) or _has_number_comma(cell))


def _normalize_signs_and_spaces(cell: str) -> str:
    if cell[-1:] not in _LAST_CHARACTERS or isinstance(cell, ListCell):
        return cell
    if len(cell) > MAX_NUMBER_CHARS:
        return cell
    number = "-" + cell[1:] if cell.startswith(MINUS_SIGNS) else cell
    if SPACED_PATTERN.fullmatch(number):
        number = number.translate(_THOUSANDS_SPACES)
    return number if looks_like_number(number) else cell


def _has_number_comma(cell: str) -> bool:
    return len(cell) <= MAX_NUMBER_CHARS and (
        DECIMAL_COMMA_PATTERN.fullmatch(cell) is not None
        or GROUPED_PATTERN.fullmatch(cell) is not None
    )


def _find_comma_meaning(cells: Collection[str]) -> str | None:
    """Return what replaces each comma: ``.``, nothing, or None if the column does not decide."""
    grouped = [cell for cell in cells if GROUPED_PATTERN.fullmatch(cell)]
    decimal = any(_has_number_comma(cell) and not GROUPED_PATTERN.fullmatch(cell) for cell in cells)
    thousands = any("." in cell or cell.count(",") > 1 for cell in grouped) or any(
        "." in cell and is_number(cell) for cell in cells
    )
    if decimal == thousands:
        return None
    return "." if decimal else ""


def _replace_comma(cell: str, plain: str, mark: str | None) -> str:
    if "," not in plain or not _has_number_comma(plain):
        return plain
    return cell if mark is None else plain.replace(",", mark)
