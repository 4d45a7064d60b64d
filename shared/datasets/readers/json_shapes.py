"""Recognition of JSON of another shape than one object per row, to say what to send instead.

Only the beginning of a file is looked at: a file that a data frame wrote is one object, of any
size.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from shared.datasets.column_names import TEXT_NAMES, normalize_name
from shared.datasets.readers.cells import format_name
from shared.datasets.readers.chat import MESSAGES_KEY

HEAD_CHARS = 1024 * 1024
MAX_MEMBERS = 1_000
"""Members of an object that are looked at."""

_SPLIT_KEYS = frozenset({"columns", "data"})
_BLANKS = " \t\r\n"

ONE_OBJECT_PER_LINE = "Write one object per line, or one array of objects."
RECORDS = 'Write it with orient="records", which gives one array of objects.'


class _Start(NamedTuple):
    """The beginning of a member's value."""

    opening: str
    """The brackets that it begins with: ``[{``, ``[``, ``{``, or nothing."""
    is_text: bool
    inner_key: str | None
    """The first key of an object."""


def describe_object_shape(text: str) -> str | None:
    """Say what to send instead of a file that begins with this object and contains no other;
    None if the object may be a row.
    """
    starts = _list_member_starts(text)
    names = {normalize_name(key) for key, start in starts.items() if start.is_text}
    if names & TEXT_NAMES or MESSAGES_KEY in starts or not starts:
        return None
    if starts.keys() >= _SPLIT_KEYS and starts["data"].opening == "[[":
        return f'The file is one object, as pandas writes with orient="split". {RECORDS}'
    rows = [key for key, start in starts.items() if start.opening == "[{"]
    if rows:
        return (
            f"The file is one object, and its member {format_name(rows[-1])} contains a list of "
            "objects. If these are the rows, upload that array itself."
        )
    openings = {start.opening for start in starts.values()}
    if len(openings) != 1 or len(starts) < 2:
        return None
    inner_keys = {start.inner_key for start in starts.values()}
    if openings == {"{"} and len(inner_keys) == 1 and inner_keys != {None}:
        return f"The file is one object of objects, as pandas writes by default. {RECORDS}"
    if openings == {"["}:
        return (
            "The file is one object with a list per column. Write one object per row instead, "
            'in pandas with orient="records".'
        )
    return None


def describe_malformed_line(line: str, position: int, head: str) -> str | None:
    """Explain a line with an error at this position; None for an ordinary error. ``head`` is the
    beginning of the file if this is its first line.
    """
    rest = line[position:].strip()
    if line.lstrip(_BLANKS).startswith("{") and _ends_object(line, position):
        if rest == ",":
            return (
                "ends with a comma. Remove the commas between the lines, or enclose the objects "
                "in [ and ]."
            )
        if rest.removeprefix(",").lstrip()[:1] == "{":
            return f"has several objects. {ONE_OBJECT_PER_LINE}"
    if line.lstrip(_BLANKS)[:1] == "," and line.lstrip(_BLANKS + ",")[:1] == "{":
        return (
            "begins with a comma. Remove the commas between the lines, or enclose the objects "
            "in [ and ]."
        )
    if _spans_lines(head):
        return f"begins an object that spans several lines. {ONE_OBJECT_PER_LINE}"
    return None


def _ends_object(line: str, position: int) -> bool:
    return line[:position].rstrip()[-1:] == "}"


def _spans_lines(head: str) -> bool:
    """Return whether the text begins with a complete object of several lines."""
    start = len(head) - len(head.lstrip(_BLANKS))
    try:
        value, end = json.JSONDecoder().raw_decode(head, start)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "\n" in head[start:end]


def _list_member_starts(text: str) -> Mapping[str, _Start]:
    """Return how the value of each member of the first object begins, as far as the text goes."""
    starts: dict[str, _Start] = {}
    position = _skip_blanks(text, 0)
    if text[position : position + 1] != "{":
        return starts
    decoder = json.JSONDecoder()
    try:
        while len(starts) < MAX_MEMBERS:
            position = _skip_blanks(text, position + 1)
            if text[position] != '"':
                break
            key, position = decoder.raw_decode(text, position)
            position = _skip_blanks(text, _skip_blanks(text, position) + 1)
            starts[key] = _describe_start(text, position)
            _, position = decoder.raw_decode(text, position)
            position = _skip_blanks(text, position)
            if text[position] != ",":
                break
    except (ValueError, IndexError, RecursionError):
        pass  # the text ends within the object
    return starts


def _describe_start(text: str, position: int) -> _Start:
    opening = text[position]
    if opening not in "[{":
        return _Start("", opening == '"', None)
    place = _skip_blanks(text, position + 1)
    inside = text[place]
    if opening == "[":
        return _Start(f"[{inside}" if inside in "[{" else "[", False, None)
    if inside != '"':
        return _Start("{", False, None)
    return _Start("{", False, json.JSONDecoder().raw_decode(text, place)[0])


def _skip_blanks(text: str, position: int) -> int:
    while text[position : position + 1] in ("\n", " ", "\t", "\r"):
        position += 1
    return position
