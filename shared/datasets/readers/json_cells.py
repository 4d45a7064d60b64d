"""Conversion of JSON values to cells: single texts, numbers or booleans, or lists of these
(labels).
"""

import json
from typing import Any

from shared.datasets.readers.cells import ListCell, format_float, format_name

NOT_FINITE = float("nan")
NOT_FINITE_MESSAGE = "NaN and infinity are not allowed. Leave the key out or set it to null."
OBJECT_MESSAGE = "The value is an object. It must be a text, number, boolean, or list of these."


class Members(list[tuple[str, Any]]):
    """An object with every member, repeated keys included."""


class CellError(Exception):
    """One value of an object cannot be a cell."""

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


def format_cell(key: str, value: object) -> str:
    """Convert a value that ``DECODER`` produced. Raises ``CellError``."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            raise CellError(format_name(key), "invalid_number", NOT_FINITE_MESSAGE)
        case list() if not isinstance(value, Members):
            return ListCell.from_values(_format_item(key, item) for item in value)
        case _:
            raise CellError(format_name(key), "nested_value", OBJECT_MESSAGE)


def _format_item(key: str, value: object) -> str:
    if value is None or isinstance(value, list):
        raise CellError(
            format_name(key),
            "nested_value",
            "The list contains a null, a list or an object. Use texts, numbers and booleans only.",
        )
    return format_cell(key, value)


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
