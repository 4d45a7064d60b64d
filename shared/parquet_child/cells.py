"""Conversion of a row's values to the cells that the parent process receives."""

import math
from typing import Any

from shared.parquet_child.errors import ParquetError

MAX_NAME_CHARS = 40
"""Longest part of a column name that a message repeats."""


def build_row_message(
    row: tuple[Any, ...], names: list[str], limits: dict[str, int]
) -> list[Any] | dict[str, str]:
    """Return the row's cells, or the problem of the first value that cannot be a cell."""
    cells: list[Any] = []
    for name, value in zip(names, row, strict=True):
        if isinstance(value, list) and None in value:
            return _make_problem(name, "nested_value", "The list contains a null.")
        if isinstance(value, float) and not math.isfinite(value):
            return _make_problem(
                name,
                "invalid_number",
                "NaN and infinity are not allowed. Use null for a missing value.",
            )
        cell = _format_cell(value)
        texts = cell if isinstance(cell, list) else [cell]
        if any("\0" in text for text in texts):
            return _make_problem(name, "invalid_text", "The text contains a NUL character.")
        _check_length(texts, limits["max_cell_chars"])
        cells.append(cell)
    return cells


def _make_problem(name: str, code: str, problem: str) -> dict[str, str]:
    return {"column": name[:MAX_NAME_CHARS], "code": code, "problem": problem}


def _check_length(texts: list[str], max_chars: int) -> None:
    if sum(map(len, texts)) + len(texts) > max_chars + 1:
        raise ParquetError("field_too_large", f"A value has more than {max_chars:,} characters.")


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
