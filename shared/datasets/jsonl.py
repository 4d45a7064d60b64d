"""JSON Lines: one object a line, its keys the columns, its values single texts, numbers or booleans, or lists of these (labels).

A line that is no JSON object makes the file malformed; an object whose values do not fit makes a row problem.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.datasets.cells import ListCell, float_text, shown
from shared.datasets.lines import text_lines
from shared.datasets.problems import EmptyFile, FieldTooLarge, InvalidText, JsonlMalformed, TooManyColumns
from shared.datasets.rows import Limits, RowCollector

NOT_FINITE = float("nan")


class Members(list[tuple[str, Any]]):
    """An object as read: every member, repeated keys too."""


class Unfit(Exception):
    """One value of an object cannot be a cell."""

    def __init__(self, column: str, code: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.code = code
        self.message = message


class Jsonl:
    """One pass over a JSON Lines file: ``read`` fills the collector and tells the names."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.blank_lines = 0
        self._places: dict[str, int] = {}

    def read(self, rows: RowCollector) -> tuple[str, ...]:
        """The union of all keys, in the order of their first appearance; a key that a row lacks is an empty cell there."""
        for number, line in self._lines():
            members = _parse(number, line)
            try:
                cells = self._cells(number, members, escaped="\\u" in line)
            except Unfit as unfit:
                rows.refuse(number, unfit.column, unfit.code, unfit.message)
            else:
                rows.keep(cells, number)
        if rows.total == 0:
            raise EmptyFile("The file has no rows.")
        width = len(self._places)
        if width * len(rows.rows) > self.limits.max_cells:
            raise TooManyColumns(f"The objects have {width:,} different keys together, too many for so many rows.")
        rows.rows[:] = (cells if len(cells) == width else cells + ("",) * (width - len(cells)) for cells in rows.rows)
        return tuple(self._places)

    def _lines(self) -> Iterator[tuple[int, str]]:
        for number, line in enumerate(text_lines(self.path), start=1):
            if "\0" in line:
                raise InvalidText(f"Line {number} has a NUL character.")
            if len(line) > self.limits.max_line_chars:
                raise FieldTooLarge(f"Line {number} has more than {self.limits.max_line_chars:,} characters.")
            if line.isspace():
                self.blank_lines += 1
            else:
                yield number, line

    def _cells(self, number: int, members: Members, *, escaped: bool) -> tuple[str, ...]:
        values: dict[str, str] = {}
        for key, value in members:
            if escaped and not (_is_text(key) and _is_text(value)):
                raise Unfit(shown(repr(key)), "invalid_text", "The text has a NUL or half a surrogate pair.")
            if key in values:
                raise Unfit(shown(key), "duplicate_key", "The object has this key twice.")
            values[key] = _cell(key, value)
            if max(len(values[key]), len(key)) > self.limits.max_cell_chars:
                raise FieldTooLarge(
                    f"Line {number} has a value of more than {self.limits.max_cell_chars:,} characters."
                )
        for key in values:
            self._places.setdefault(key, len(self._places))
        if len(self._places) > self.limits.max_columns:
            raise TooManyColumns(
                f"Line {number} brings the number of different keys above {self.limits.max_columns:,}."
            )
        cells = [""] * len(self._places)
        for key, cell in values.items():
            cells[self._places[key]] = cell
        return tuple(cells)


def _parse(number: int, line: str) -> Members:
    try:
        value = json.loads(
            line,
            object_pairs_hook=Members,
            parse_int=lambda digits: "0" if digits == "-0" else digits,
            parse_float=_float_text,
            parse_constant=lambda _: NOT_FINITE,
        )
    except json.JSONDecodeError as error:
        raise JsonlMalformed(f"Line {number} is not valid JSON: {error.msg} at character {error.pos + 1}.") from None
    except RecursionError:
        raise JsonlMalformed(f"Line {number} is nested too deeply.") from None
    if not isinstance(value, Members):
        raise JsonlMalformed(f"Line {number} is not a JSON object.")
    return value


def _float_text(literal: str) -> str | float:
    value = float(literal)
    return float_text(value) if abs(value) != float("inf") else NOT_FINITE


def _cell(key: str, value: object) -> str:
    """Numbers have become texts in parsing, but for those that are not finite."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            raise Unfit(
                shown(key), "invalid_number", "NaN and infinity are no values; leave the key out or set it to null."
            )
        case list() if not isinstance(value, Members):
            return ListCell.of(_item(key, item) for item in value)
        case _:
            raise Unfit(
                shown(key), "nested_value", "The value is an object; a text, number, boolean, or list of these is read."
            )


def _item(key: str, value: object) -> str:
    if value is None or isinstance(value, list):
        raise Unfit(
            shown(key),
            "nested_value",
            "The list holds null, a list or an object; texts, numbers and booleans are read.",
        )
    return _cell(key, value)


def _is_text(value: object) -> bool:
    if isinstance(value, list):
        return all(map(_is_text, value))
    if not isinstance(value, str):
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in value
