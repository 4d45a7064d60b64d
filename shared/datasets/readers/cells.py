"""Cells are strings. Only the empty string is missing: "NA", "None" and "null" are data,
because they may be texts or labels.
"""

import json
import math
import re
from collections.abc import Iterable

from shared.datasets.readers.invisible import show_invisible

INTEGER_PATTERN = re.compile(r"[+-]?[0-9]+")
NUMBER_PATTERN = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""No run of digits can be divided in two ways, so a long one is matched in linear time."""

# larger floats may not be exactly the integer that they show
MAX_EXACT_INTEGER = 2**53


class ListCell(str):
    """Encode a list of values (JSON Lines, Parquet) as a cell: the JSON text of an array of
    strings.
    """

    __slots__ = ()

    @classmethod
    def from_values(cls, values: Iterable[str]) -> "ListCell":
        return cls(json.dumps(list(values), ensure_ascii=False))

    def parse_values(self) -> list[str]:
        found: list[str] = json.loads(self)
        return found


class VectorCell(ListCell):
    """A list that has one number for each label (``[1, 0, 0]``) instead of names of labels."""

    __slots__ = ()


class NestedCell(str):
    """The text of a JSON object, or of a list of objects or lists: it names no label."""

    __slots__ = ()


def is_integer(cell: str) -> bool:
    """Whether a text is digits with an optional sign; unlike ``int``, no underscores or other
    scripts' digits.
    """
    return INTEGER_PATTERN.fullmatch(cell) is not None


def is_number(cell: str) -> bool:
    """Whether a text is a finite decimal number; "nan" and "inf" do not count."""
    return NUMBER_PATTERN.fullmatch(cell) is not None and math.isfinite(float(cell))


def is_whole_number(cell: str) -> bool:
    """Whether a text is a number without a fraction, however written: "3", "3.0", "3e2"."""
    return is_number(cell) and float(cell).is_integer()


def format_float(value: float) -> str:
    """Format a finite float of a typed format (JSON, Parquet); integral values lose the ``.0``.

    pandas turns a column of class numbers with a gap into floats; its labels must still equal
    those of a file without the gap.
    """
    if value.is_integer() and abs(value) < MAX_EXACT_INTEGER:
        return str(int(value))
    return repr(value)


def shorten_name(name: str, max_chars: int) -> str:
    """Shorten a column name or label to one line."""
    plain = " ".join(name.split())
    return plain if len(plain) <= max_chars else plain[: max_chars - 1] + "…"


def format_name(name: str, max_chars: int = 40) -> str:
    """Shorten a column name or label for a message, with invisible characters as ``<U+200B>``."""
    return show_invisible(shorten_name(name, max_chars))


def format_names(names: list[str], max_names: int = 12) -> str:
    """Format names as ``a, b, c and 3 more``, each shortened."""
    text = ", ".join(format_name(name) for name in names[:max_names])
    return text if len(names) <= max_names else f"{text} and {len(names) - max_names} more"
