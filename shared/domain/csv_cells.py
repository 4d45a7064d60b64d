"""Cells of result files, which people open in spreadsheets."""

import re
from typing import Final

_FORMULA: Final = re.compile("[\\s\0]*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")
"""The beginning of a text that spreadsheets compute: also in full-width forms, and after blanks
that some of them skip.
"""
_PLAIN_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)


def disarm_formula(text: str) -> str:
    """Return the text of a cell so that no spreadsheet computes it: with an apostrophe before what
    begins a formula. Numbers stay numbers.
    """
    if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text
