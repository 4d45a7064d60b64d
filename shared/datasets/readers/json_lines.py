"""Streaming reader of the objects in a JSON Lines file, one per line."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from shared.datasets.errors import FieldTooLarge, InvalidText, JsonlMalformed
from shared.datasets.readers.json_budget import JsonBudget
from shared.datasets.readers.json_cells import DECODER, Members
from shared.datasets.readers.json_records import JsonRecord
from shared.datasets.readers.json_shapes import (
    HEAD_CHARS,
    describe_malformed_line,
    describe_object_shape,
)
from shared.datasets.readers.lines import (
    BYTE_ORDER_MARK,
    check_blank_line_count,
    iterate_lines,
    open_text,
)
from shared.datasets.readers.rows import Limits


class JsonLinesReader:
    """Iterate over one object per line. Reading raises ``JsonlMalformed`` for any other line."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._budget = JsonBudget(limits, JsonlMalformed)
        self.blank_lines = 0

    def __iter__(self) -> Iterator[JsonRecord]:
        lines = self._iterate_lines()
        first = next(lines, None)
        if first is None:
            return
        second = next(lines, None)
        if second is None:  # a single object may be a whole table
            self._check_shape()
        for number, line in chain((first,), () if second is None else (second,), lines):
            yield JsonRecord(
                f"Line {number}", number, self._parse_line(number, line), "\\u" in line
            )

    def _iterate_lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that are not blank, with their numbers."""
        limits = self._limits
        for number, line in enumerate(iterate_lines(self._path, limits), start=1):
            if "\0" in line:
                raise InvalidText(f"Line {number} contains a NUL character.")
            if len(line) > limits.max_line_chars:
                self._check_shape()
                raise FieldTooLarge(
                    f"Line {number} has more than {limits.max_line_chars:,} characters."
                )
            if line.isspace():
                self.blank_lines += 1
                check_blank_line_count(self.blank_lines, limits)
            else:
                yield number, line

    def _parse_line(self, number: int, line: str) -> Members:
        self._budget.check_record(line, f"Line {number}")
        self._budget.spend(line)
        try:
            value = DECODER.decode(line)
        except json.JSONDecodeError as error:
            raise self._make_line_error(number, line, error) from None
        except RecursionError:
            raise JsonlMalformed(f"Line {number} is nested too deeply.") from None
        if not isinstance(value, Members):
            raise JsonlMalformed(f"Line {number} is not a JSON object.")
        return value

    def _make_line_error(
        self, number: int, line: str, error: json.JSONDecodeError
    ) -> JsonlMalformed:
        """Explain the error, and a file of another shape by its beginning."""
        head = self._read_head()
        is_first = head.lstrip().startswith(line.strip())
        shape = describe_object_shape(head) if is_first and not _is_object_complete(error) else None
        if shape is not None:
            return JsonlMalformed(shape)
        text = describe_malformed_line(line, error.pos, head if is_first else "")
        return JsonlMalformed(
            f"Line {number} {text}"
            if text is not None
            else f"Line {number} is not valid JSON: {error.msg} at character {error.pos + 1}."
        )

    def _check_shape(self) -> None:
        """Raise ``JsonlMalformed`` for a file whose only object contains the rows."""
        shape = describe_object_shape(self._read_head())
        if shape is not None:
            raise JsonlMalformed(shape)

    def _read_head(self) -> str:
        with open_text(self._path, self._limits) as text:
            return text.read(HEAD_CHARS).lstrip(BYTE_ORDER_MARK)


def _is_object_complete(error: json.JSONDecodeError) -> bool:
    return error.msg == "Extra data"
