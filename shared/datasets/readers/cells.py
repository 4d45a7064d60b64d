"""A cell is a string. Only the empty string is missing: "NA", "None" and "null" are data, as somebody's text or label may be."""

import json
import math
import re
from collections.abc import Iterable

INTEGER_PATTERN = re.compile(r"[+-]?[0-9]+")
NUMBER_PATTERN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

# From here on a float is no longer sure to be the integer it shows.
MAX_EXACT_INTEGER = 2**53


class ListCell(str):
    """A list of values, which JSON Lines and Parquet have, as a cell: the JSON text of an array of strings."""

    __slots__ = ()

    @classmethod
    def from_values(cls, values: Iterable[str]) -> "ListCell":
        return cls(json.dumps(list(values), ensure_ascii=False))

    def parse_values(self) -> list[str]:
        found: list[str] = json.loads(self)
        return found


def is_integer(cell: str) -> bool:
    """Digits with an optional sign; not what Python's ``int`` also takes (underscores, other scripts' digits)."""
    return INTEGER_PATTERN.fullmatch(cell) is not None


def is_number(cell: str) -> bool:
    """A finite decimal number; "nan" and "inf" are words here."""
    return NUMBER_PATTERN.fullmatch(cell) is not None and math.isfinite(float(cell))


def is_whole_number(cell: str) -> bool:
    """A number without a fraction, also when written as one: "3", "3.0", "3e2"."""
    return is_number(cell) and float(cell).is_integer()


def format_float(value: float) -> str:
    """The one spelling of a finite float from a typed format (JSON, Parquet): integral values lose the ``.0``.

    A column of class numbers with a gap becomes float in pandas; its labels must still equal those of a file without the gap.
    """
    if value.is_integer() and abs(value) < MAX_EXACT_INTEGER:
        return str(int(value))
    return repr(value)


def format_name(name: str, max_chars: int = 40) -> str:
    """A column name or label as it may stand in a message: short, and without line breaks."""
    plain = " ".join(name.split())
    return plain if len(plain) <= max_chars else plain[: max_chars - 1] + "…"


def format_names(names: list[str], max_names: int = 12) -> str:
    """``a, b, c and 3 more``, each as ``shown``."""
    text = ", ".join(format_name(name) for name in names[:max_names])
    return text if len(names) <= max_names else f"{text} and {len(names) - max_names} more"
