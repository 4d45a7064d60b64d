"""Conversion of JSON values to cells: single texts, numbers or booleans, or lists of these
(labels).
"""

import json
from typing import Any

from shared.datasets.readers.cells import ListCell, format_float
from shared.datasets.readers.unreadable import CellProblem, UnreadableCell

NOT_FINITE = float("nan")
NUMBER_NOT_FINITE = CellProblem(
    "invalid_number", "NaN and infinity are not allowed. Leave the key out or set it to null."
)
VALUE_IS_OBJECT = CellProblem(
    "nested_value",
    "The value is an object. It must be a text, number, boolean, or list of these.",
)
LIST_NOT_FLAT = CellProblem(
    "nested_value",
    "The list contains a null, a list or an object. Use texts, numbers and booleans only.",
)
INVALID_TEXT = CellProblem(
    "invalid_text", "The text contains a NUL character or half of a surrogate pair."
)
REPEATED_KEY = CellProblem("duplicate_key", "The object has this key twice.")


class Members(list[tuple[str, Any]]):
    """An object with every member, repeated keys included."""


class CellError(Exception):
    """An object cannot be a row, because of the given column."""

    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.code = code
        self.message = message


def _parse_float(literal: str) -> str | float:
    value = float(literal)
    return format_float(value) if abs(value) != float("inf") else NOT_FINITE


DECODER = json.JSONDecoder(
    object_pairs_hook=Members,
    parse_int=lambda digits: "0" if digits == "-0" else digits,
    parse_float=_parse_float,
    parse_constant=lambda _: NOT_FINITE,
)
"""Decodes objects as ``Members`` and finite numbers as texts in their canonical spelling."""


class _ItemError(Exception):
    """An item of a list cannot be a part of a cell."""

    def __init__(self, problem: CellProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def format_cell(value: object) -> str:
    """Convert a value that ``DECODER`` produced; one that cannot be a text, number, boolean or
    list of these becomes an ``UnreadableCell``.
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return UnreadableCell.from_problem(NUMBER_NOT_FINITE)
        case list() if not isinstance(value, Members):
            return _format_list(value)
        case _:
            return UnreadableCell.from_problem(VALUE_IS_OBJECT)


def _format_list(items: list[object]) -> str:
    try:
        return ListCell.from_values(map(_format_item, items))
    except _ItemError as error:
        return UnreadableCell.from_problem(error.problem)


def _format_item(value: object) -> str:
    if value is None or isinstance(value, list):
        raise _ItemError(LIST_NOT_FLAT)
    if isinstance(value, float):
        raise _ItemError(NUMBER_NOT_FINITE)
    return format_cell(value)


def is_encodable_text(value: object) -> bool:
    """Return whether a text, or every text of a list, can be encoded and has no NUL; JSON
    escapes can express characters that no file contains.
    """
    if isinstance(value, list):
        return all(map(is_encodable_text, value))
    if not isinstance(value, str):
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in value
