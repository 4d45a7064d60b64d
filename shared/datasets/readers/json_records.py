"""The objects of a JSON Lines file (one a line) or of a JSON file (one array of them), one at a time.

An array is never parsed as a whole: five bytes of ``[],[],`` cost a hundred in memory, so that a small file would fill it.
"""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, TextIO

from shared.datasets.errors import FieldTooLarge, InvalidText, JsonlMalformed, JsonMalformed
from shared.datasets.readers.json_cells import DECODER, Members
from shared.datasets.readers.lines import refuse_many_blanks, text_lines, text_of
from shared.datasets.readers.rows import Limits

BLANKS = re.compile(r"[ \t\r\n]*")
WINDOW = 64 * 1024
LONGEST_SIGN = 16
"""Characters; a number, word or escape that an end of text cuts in two is found wrong so close to it."""


class Record(NamedTuple):
    place: str
    """``Line 3`` or ``Element 3``, as a message calls it."""
    line: int
    """Physical line that it begins in, from 1."""
    members: Members
    escaped: bool
    r"""Whether it has a ``\u`` escape, which can write what no file can hold."""


class JsonLines:
    """One object a line. Reading raises ``JsonlMalformed`` for a line that is none."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self.blank_lines = 0

    def __iter__(self) -> Iterator[Record]:
        limits = self._limits
        for number, line in enumerate(text_lines(self._path, limits), start=1):
            if "\0" in line:
                raise InvalidText(f"Line {number} has a NUL character.")
            if len(line) > limits.max_line_chars:
                raise FieldTooLarge(
                    f"Line {number} has more than {limits.max_line_chars:,} characters."
                )
            if line.isspace():
                self.blank_lines += 1
                refuse_many_blanks(self.blank_lines, limits)
            else:
                yield Record(f"Line {number}", number, _parsed(number, line), "\\u" in line)


def _parsed(number: int, line: str) -> Members:
    try:
        value = DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise JsonlMalformed(
            f"Line {number} is not valid JSON: {error.msg} at character {error.pos + 1}."
        ) from None
    except RecursionError:
        raise JsonlMalformed(f"Line {number} is nested too deeply.") from None
    if not isinstance(value, Members):
        raise JsonlMalformed(f"Line {number} is not a JSON object.")
    return value


class JsonArray:
    """One array of objects. Reading raises ``JsonMalformed`` for anything else."""

    blank_lines = 0
    """In an array they part nothing."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits

    def __iter__(self) -> Iterator[Record]:
        with text_of(self._path, self._limits) as file:
            window = _Window(file)
            window.expect("[")
            if window.sign() == "]":
                window.expect("]")
            else:
                yield from self._elements(window)
            if window.sign():
                raise JsonMalformed(f"Line {window.line} goes on after the end of the array.")

    def _elements(self, window: "_Window") -> Iterator[Record]:
        for number in count(1):
            yield _element(window, number, self._limits)
            if window.expect(",]") == "]":
                return


class _Window:
    """The part of a text that is looked at, and where in it and in which line one is."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.text = ""
        self.at = 0
        self.line = 1

    def more(self) -> bool:
        """Twice as much of the text, so that reading a long element again and again stays cheap; whether there was more."""
        rest = self.text[self.at :]
        chunk = self._file.read(max(WINDOW, len(rest)))
        if "\0" in chunk:
            before, _, _ = chunk.partition("\0")
            raise InvalidText(f"Line {self.line_at(rest + before)} has a NUL character.")
        self.text, self.at = rest + chunk, 0
        return bool(chunk)

    def line_at(self, passed: str) -> int:
        """The line behind this text, which begins where one is."""
        return self.line + passed.count("\n")

    def pass_to(self, end: int) -> None:
        self.line += self.text.count("\n", self.at, end)
        self.at = end

    def sign(self) -> str:
        """The next character that is no blank, which stays; empty at the end of the text."""
        while True:
            blanks = BLANKS.match(self.text, self.at)
            assert blanks is not None  # it matches nothing, too
            self.pass_to(blanks.end())
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def expect(self, signs: str) -> str:
        """The next character that is no blank, passed, if it is among these."""
        found = self.sign()
        if not found:
            raise JsonMalformed("The array has no end; the file is cut short.")
        if found not in signs:
            raise JsonMalformed(f"Line {self.line}: expected {' or '.join(signs)} in the array.")
        self.pass_to(self.at + 1)
        return found


def _element(window: _Window, number: int, limits: Limits) -> Record:
    if window.sign() not in ("{", ""):
        raise JsonMalformed(
            f"Element {number} of the array, in line {window.line}, is not an object."
        )
    while True:
        try:
            members, end = DECODER.raw_decode(window.text, window.at)
        except json.JSONDecodeError as error:
            _refuse_over_long(number, len(window.text) - window.at, limits)
            cut = (
                error.msg.startswith("Unterminated string")
                or error.pos > len(window.text) - LONGEST_SIGN
            )
            line = window.line_at(window.text[window.at : error.pos])
            if not (cut and window.more()):
                raise JsonMalformed(
                    f"Element {number} is not valid JSON: {error.msg}, in line {line}."
                ) from None
        except RecursionError:
            raise JsonMalformed(f"Element {number} is nested too deeply.") from None
        else:
            _refuse_over_long(number, end - window.at, limits)
            record = Record(
                f"Element {number}",
                window.line,
                members,
                window.text.find("\\u", window.at, end) >= 0,
            )
            window.pass_to(end)
            return record


def _refuse_over_long(number: int, characters: int, limits: Limits) -> None:
    if characters > limits.max_line_chars:
        raise FieldTooLarge(f"Element {number} has more than {limits.max_line_chars:,} characters.")
