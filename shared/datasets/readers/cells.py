"""A cell is a string. Only the empty string is missing: "NA", "None" and "null" are data, as somebody's text or label may be."""

import json
import math
import re
from collections.abc import Iterable

INTEGER = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

# From here on a float is no longer sure to be the integer it shows.
EXACT_INTEGERS = 2**53


class ListCell(str):
    """A list of values, which JSON Lines and Parquet have, as a cell: the JSON text of an array of strings."""

    __slots__ = ()

    @classmethod
    def of(cls, values: Iterable[str]) -> "ListCell":
        return cls(json.dumps(list(values), ensure_ascii=False))

    def values(self) -> list[str]:
        found: list[str] = json.loads(self)
        return found


def is_integer(cell: str) -> bool:
    """Digits with an optional sign; not what Python's ``int`` also takes (underscores, other scripts' digits)."""
    return INTEGER.fullmatch(cell) is not None


def is_number(cell: str) -> bool:
    """A finite decimal number; "nan" and "inf" are words here."""
    return NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))


def is_whole(cell: str) -> bool:
    """A number without a fraction, also when written as one: "3", "3.0", "3e2"."""
    return is_number(cell) and float(cell).is_integer()


def float_text(value: float) -> str:
    """The one spelling of a finite float from a typed format (JSON, Parquet): integral values lose the ``.0``.

    A column of class numbers with a gap becomes float in pandas; its labels must still equal those of a file without the gap.
    """
    if value.is_integer() and abs(value) < EXACT_INTEGERS:
        return str(int(value))
    return repr(value)


def shown(name: str, most: int = 40) -> str:
    """A column name or label as it may stand in a message: short, and without line breaks."""
    plain = " ".join(name.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def listed(names: list[str], most: int = 12) -> str:
    """``a, b, c and 3 more``, each as ``shown``."""
    text = ", ".join(shown(name) for name in names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"
