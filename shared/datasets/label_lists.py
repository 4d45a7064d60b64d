"""Several labels in one text cell: lists written as text, and names joined by a separator.

``"['food', 'staff']"`` (pandas), ``["food", "staff"]`` (JSON) and ``{"choices": [...]}`` (Label
Studio) are lists wherever they occur. A separator is only recognised with evidence from the whole
column, because a label may contain it.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from shared.datasets.readers.cells import ListCell, NestedCell, format_float, is_number

SEPARATORS = ("|", ";", ",", "#", "/", "&", "+", "\n")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_BARE_MARKS = frozenset("[](){}'\"")
_TOKEN_PATTERN = re.compile(
    r"\s+|,|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,'\"\\\[\](){}]+", re.DOTALL
)
_BARE_WORDS = {"True": "true", "False": "false", "None": "None", "nan": "nan"}


def unpack_lists(cells: Sequence[str], names: AbstractSet[str] | None = None) -> list[str]:
    """Turn cells with a list written as text into lists; given ``names`` stay as they are."""
    known: dict[str, str] = {}
    has_bare_lists = _has_bare_lists(cells)
    for cell in _list_distinct_texts(cells):
        if cell[:1] not in _BRACKETS or cell in (names or ()):
            continue
        items = parse_list_text(cell)
        if items is None and has_bare_lists:
            items = _split_cell(cell[1:-1], ",")
        if items is not None:
            known[cell] = ListCell.from_values(items)
        elif _is_nested_json(cell):
            known[cell] = NestedCell(cell)
    if not known:
        return list(cells)
    return [cell if isinstance(cell, ListCell) else known.get(cell, cell) for cell in cells]


def _list_distinct_texts(cells: Iterable[str]) -> set[str]:
    """List the cells without lists, which may be equal to a text."""
    return {cell for cell in cells if not isinstance(cell, ListCell)}


def parse_list_text(cell: str) -> list[str] | None:
    """Return the values of a list in JSON, Python, numpy or Label Studio notation, if it is one."""
    if not is_list_text(cell):
        return None
    items = _parse_json_list(cell)
    if items is not None:
        return items
    if cell[0] == "{" and ":" in cell:
        cell = cell[1:-1].partition(":")[2].strip()
        return _parse_python_list(cell) if cell[:1] == "[" and cell[-1:] == "]" else None
    return _parse_python_list(cell)


def is_list_text(cell: str) -> bool:
    """Whether a cell is in brackets."""
    return _BRACKETS.get(cell[:1]) == cell[-1:]


def _parse_json_list(cell: str) -> list[str] | None:
    try:
        value = json.loads(cell, parse_int=str, parse_float=_format_number, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if not isinstance(value, list) or any(isinstance(item, list | dict) for item in value):
        return None
    return [_format_item(item) for item in value]


def _is_nested_json(cell: str) -> bool:
    try:
        value = json.loads(cell, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return False
    except RecursionError:
        return True
    return isinstance(value, list | dict)


def _format_number(literal: str) -> str:
    return format_float(float(literal)) if is_number(literal) else literal


def _format_item(item: str | bool | None) -> str:
    match item:
        case None:
            return "null"
        case bool():
            return "true" if item else "false"
        case _:
            return item


def _parse_python_list(cell: str) -> list[str] | None:
    """Return the values of a list of quoted texts, or in square brackets of numbers, separated by
    commas or blanks.
    """
    body = cell[1:-1]
    items: list[str] = []
    position = 0
    is_after_comma = True
    while position < len(body):
        token = _TOKEN_PATTERN.match(body, position)
        if token is None:
            return None
        position = token.end()
        if token[0] == ",":
            if is_after_comma:
                return None
            is_after_comma = True
        elif not token[0].isspace():
            item = _parse_token(token[0], is_array=cell[0] == "[")
            if item is None:
                return None
            items.append(item)
            is_after_comma = False
    return items if items or cell == "[]" else None


def _parse_token(token: str, *, is_array: bool) -> str | None:
    if token[0] in "'\"":
        try:
            return str(ast.literal_eval(token))
        except (ValueError, SyntaxError):
            return None
    if not is_array:
        return None
    return _format_number(token) if is_number(token) else _BARE_WORDS.get(token)


def _has_bare_lists(cells: Sequence[str]) -> bool:
    """Whether all cells are in square brackets, and some have a comma: ``[joy, anger]``."""
    filled = {cell for cell in cells if cell}
    return (
        bool(filled)
        and all(cell[0] == "[" and cell[-1] == "]" for cell in filled)
        and all(_BARE_MARKS.isdisjoint(cell[1:-1]) for cell in filled)
        and any("," in cell for cell in filled)
    )


def find_separator(cells: Iterable[str]) -> str | None:
    """Return the separator that joins labels in this column, if its values give evidence of one.

    The parts must occur in more than one value: all of them, or half of them if at least one part
    is also a value of its own.
    """
    values = _list_distinct_texts(cells) - {""}
    return next((mark for mark in SEPARATORS if _is_separator(mark, values)), None)


def _is_separator(mark: str, values: set[str]) -> bool:
    joined = [value for value in values if mark in value]
    if not joined:
        return False
    parts = [set(_split_cell(value, mark)) for value in joined]
    if any("" in found for found in parts):
        return False
    alone = values.difference(joined)
    occurrences = Counter(part for found in parts for part in found)
    recurring = {part for part, count in occurrences.items() if count > 1 or part in alone}
    if not all(recurring & found for found in parts):
        return False
    if len(recurring) == len(occurrences):
        return len(values) > 1
    return 2 * len(recurring) >= len(occurrences) and not alone.isdisjoint(occurrences)


def have_joined_numbers(cells: Iterable[str]) -> bool:
    """Whether each number with a comma consists of numbers that also stand alone: ``0,1`` beside
    ``0`` and ``1`` may be two class numbers.
    """
    values = _list_distinct_texts(cells)
    joined = [value for value in values if "," in value]
    return bool(joined) and all(values.issuperset(_split_cell(value, ",")) for value in joined)


def split_joined_labels(cells: Sequence[str], names: AbstractSet[str] | None) -> list[str]:
    """Turn cells that join several labels into lists: by the given ``names``, otherwise by the
    separator for which the column gives evidence.
    """
    mark = find_separator(cells) if names is None else None
    if names is None and mark is None:
        return list(cells)
    lists = {
        cell: _split_label(cell, SEPARATORS if mark is None else (mark,), names)
        for cell in _list_distinct_texts(cells)
    }
    return [cell if isinstance(cell, ListCell) else lists[cell] for cell in cells]


def _split_label(cell: str, marks: Sequence[str], names: AbstractSet[str] | None) -> str:
    if names is not None and cell in names:
        return cell
    for mark in marks:
        parts = _split_cell(cell, mark)
        if mark in cell and (names is None or names >= set(parts)):
            return ListCell.from_values(parts)
    return cell


def _split_cell(cell: str, mark: str) -> list[str]:
    return [part.strip() for part in cell.split(mark)]
