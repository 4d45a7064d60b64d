"""Streaming reader of the objects in a JSON array.

An array is never parsed as a whole: five bytes of ``[],[],`` cost a hundred in memory, so a
small file could exhaust it.
"""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, TextIO

from shared.datasets.errors import FieldTooLarge, InvalidText, JsonMalformed
from shared.datasets.readers.json_budget import JsonBudget
from shared.datasets.readers.json_cells import DECODER, Members
from shared.datasets.readers.lines import BYTE_ORDER_MARK, open_text
from shared.datasets.readers.rows import Limits

WHITESPACE_PATTERN = re.compile(r"[ \t\r\n]*")
WINDOW = 64 * 1024
MAX_TOKEN_CHARS = 16
"""Characters within which a number, word or escape that was cut off is detected."""


class JsonRecord(NamedTuple):
    location: str
    """``Line 3`` or ``Element 3``, for messages."""
    line: int
    """Physical line on which it begins, from 1."""
    members: Members
    has_escapes: bool
    r"""Whether it has a ``\u`` escape, which can express characters that no file contains."""


class JsonArrayReader:
    """Iterate over one array of objects. Reading raises ``JsonMalformed`` for anything else."""

    blank_lines = 0
    """Whitespace between the elements of an array does not count."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._budget = JsonBudget(limits, JsonMalformed)

    def __iter__(self) -> Iterator[JsonRecord]:
        with open_text(self._path, self._limits) as file:
            window = _TextWindow(file)
            window.expect_char("[")
            if window.peek_char() == "]":
                window.expect_char("]")
            else:
                yield from self._iterate_elements(window)
            if window.peek_char():
                raise JsonMalformed(f"Line {window.line} has text after the end of the array.")

    def _iterate_elements(self, window: "_TextWindow") -> Iterator[JsonRecord]:
        for number in count(1):
            yield _parse_element(window, number, self._limits, self._budget)
            if window.expect_char(",]") == "]":
                return


class _TextWindow:
    """The part of a text in memory, with the current position and line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.text = ""
        self.position = 0
        self.line = 1
        self._has_started = False

    def read_more(self) -> bool:
        """Double the text in memory, so that rereading a long element stays cheap; return
        whether there was more.
        """
        rest = self.text[self.position :]
        chunk = self._file.read(max(WINDOW, len(rest)))
        if not self._has_started:
            chunk, self._has_started = chunk.lstrip(BYTE_ORDER_MARK), True
        if "\0" in chunk:
            before, _, _ = chunk.partition("\0")
            raise InvalidText(
                f"Line {self.count_line_after(rest + before)} contains a NUL character."
            )
        self.text, self.position = rest + chunk, 0
        return bool(chunk)

    def count_line_after(self, text: str) -> int:
        """Return the line number after this text, which begins at the current position."""
        return self.line + text.count("\n")

    def advance_to(self, end: int) -> None:
        self.line += self.text.count("\n", self.position, end)
        self.position = end

    def peek_char(self) -> str:
        """Return the next character that is not blank without consuming it; empty at the end of
        the text.
        """
        while True:
            blanks = WHITESPACE_PATTERN.match(self.text, self.position)
            assert blanks is not None  # also matches the empty string
            self.advance_to(blanks.end())
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.read_more():
                return ""

    def expect_char(self, chars: str) -> str:
        """Consume and return the next non-blank character if it is one of these."""
        found = self.peek_char()
        if not found:
            raise JsonMalformed("The array is not closed. The file is incomplete.")
        if found not in chars:
            raise JsonMalformed(f"Line {self.line}: expected {' or '.join(chars)} in the array.")
        self.advance_to(self.position + 1)
        return found


def _parse_element(
    window: _TextWindow, number: int, limits: Limits, budget: JsonBudget
) -> JsonRecord:
    found = window.peek_char()
    if found not in ("{", ""):
        kind = "an array, not an object" if found == "[" else "not an object"
        raise JsonMalformed(
            f"Element {number} of the array, on line {window.line}, is {kind}. Write each row as "
            "an object whose keys are the column names."
        )
    members, end = _decode_element(window, number, limits, budget)
    _check_element_length(number, end - window.position, limits)
    text = window.text[window.position : end]
    budget.check_record(text, f"Element {number}")
    budget.spend(text)
    has_escapes = "\\u" in text
    record = JsonRecord(f"Element {number}", window.line, members, has_escapes)
    window.advance_to(end)
    return record


def _decode_element(
    window: _TextWindow, number: int, limits: Limits, budget: JsonBudget
) -> tuple[Members, int]:
    """Return the members of the object at the window's position, and where it ends."""
    while True:
        try:
            members, end = DECODER.raw_decode(window.text, window.position)
        except json.JSONDecodeError as error:
            _check_element_length(number, len(window.text) - window.position, limits)
            if _may_be_cut(error, window.text):  # then all of the window belongs to the element
                budget.check_record(window.text[window.position :], f"Element {number}")
            line = window.count_line_after(window.text[window.position : error.pos])
            if not (_may_be_cut(error, window.text) and window.read_more()):
                raise JsonMalformed(
                    f"Element {number} is not valid JSON: {error.msg}, on line {line}."
                ) from None
        except RecursionError:
            raise JsonMalformed(f"Element {number} is nested too deeply.") from None
        else:
            return members, end


def _may_be_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Whether the error may come from text that is not in memory yet."""
    return error.msg.startswith("Unterminated string") or error.pos > len(text) - MAX_TOKEN_CHARS


def _check_element_length(number: int, characters: int, limits: Limits) -> None:
    if characters > limits.max_line_chars:
        raise FieldTooLarge(f"Element {number} has more than {limits.max_line_chars:,} characters.")
