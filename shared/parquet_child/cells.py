"""Conversion of a row's values to the cells that the parent process receives."""

import math
from collections.abc import Sequence
from typing import Any

Problem = dict[str, str]
"""Code and message of a value that cannot be a cell."""

LIST_WITH_NULL = {"code": "nested_value", "message": "The list contains a null."}
NUMBER_NOT_FINITE = {
    "code": "invalid_number",
    "message": "NaN and infinity are not allowed. Use null for a missing value.",
}
TEXT_WITH_NUL = {"code": "invalid_text", "message": "The text contains a NUL character."}


def build_row_message(row: Sequence[Any], limits: dict[str, int]) -> list[Any]:
    """Return the row's cells; a value that cannot be one is replaced by its problem, or by its
    length in characters if it is too long.
    """
    return [_build_cell(value, limits["max_cell_chars"]) for value in row]


def _build_cell(value: Any, max_chars: int) -> str | list[str] | int | Problem:
    if isinstance(value, list) and None in value:
        return LIST_WITH_NULL
    if isinstance(value, float) and not math.isfinite(value):
        return NUMBER_NOT_FINITE
    cell: str | list[str] = _format_cell(value)
    texts = cell if isinstance(cell, list) else [cell]
    if any("\0" in text for text in texts):
        return TEXT_WITH_NUL
    # the parent joins a list with a separator between its texts
    characters = sum(map(len, texts)) + len(texts) - 1
    return characters if characters > max_chars else cell


def _format_cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, list):
        return [_format_cell(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # as ``format_float`` in shared.datasets.readers.cells
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)
