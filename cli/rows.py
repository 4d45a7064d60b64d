"""Tables for a terminal of any width, in which ids are never cut.

A table that is too wide first breaks its sentences at words. If that is not enough, each row
becomes a few lines: its id, then its other cells with their titles.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.text import Text

from shared.domain.visible_text import show_controls

GAP: Final = "  "  # between two columns, and before the details of a row
MIN_SENTENCE_WIDTH: Final = 28  # a column of sentences that is narrower reads badly
HEADER_STYLE: Final = "bold"


class Kind(Enum):
    """How a column behaves where the terminal is too narrow."""

    ID = "id"
    """An id, model name or command: has a line of its own."""
    FACT = "fact"
    """A short value: shares lines with others, and is not broken."""
    SENTENCE = "sentence"
    """Text: is broken at words."""


class Column(NamedTuple):
    title: str
    kind: Kind = Kind.FACT


class RowTable:
    """Rows of plain cells under titles; empty cells are ``-`` or an empty string."""

    def __init__(self, *columns: Column | str) -> None:
        self.columns = [Column(one) if isinstance(one, str) else one for one in columns]
        self.rows: list[tuple[str, ...]] = []

    def add_row(self, *cells: str) -> None:
        """Add a row; missing cells at its end are empty, and a line break becomes a blank."""
        padding = [""] * (len(self.columns) - len(cells))
        self.rows.append(
            tuple(show_controls(" ".join(cell.splitlines())) for cell in (*cells, *padding))
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        widths = self._fit_columns(options.max_width)
        if widths is None:
            yield from map(_build_line, self._format_stacked(options.max_width))
            return
        header = self._format_lines([column.title for column in self.columns], widths)
        yield from (_build_line(line, HEADER_STYLE) for line in header)
        for row in self.rows:
            yield from map(_build_line, self._format_lines(row, widths))

    def _fit_columns(self, max_width: int) -> list[int] | None:
        """Return the width of each column; None if the rows do not fit side by side."""
        titles = [column.title for column in self.columns]
        widths = [max(map(cell_len, cells)) for cells in zip(titles, *self.rows, strict=True)]
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - max_width
        if excess <= 0:
            return widths
        sentences = [
            index for index, column in enumerate(self.columns) if column.kind is Kind.SENTENCE
        ]
        for index in sorted(sentences, key=lambda index: -widths[index]):
            longest_word = max((_get_longest_word(row[index]) for row in self.rows), default=0)
            least = min(widths[index], max(MIN_SENTENCE_WIDTH, longest_word))
            saved = min(excess, widths[index] - least)
            widths[index] -= saved
            excess -= saved
        return widths if excess <= 0 else None

    def _format_lines(self, cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
        """Format a row as one line, or as several where sentences are broken."""
        columns = [
            wrap_words(cell.split(" "), width) if column.kind is Kind.SENTENCE else [cell]
            for cell, width, column in zip(cells, widths, self.columns, strict=True)
        ]
        for index in range(max(map(len, columns))):
            parts = [column[index] if index < len(column) else "" for column in columns]
            yield GAP.join(map(_pad, parts, widths)).rstrip(" ")

    def _format_stacked(self, max_width: int) -> Iterator[str]:
        """Format each row as the cells up to its id, and then lines of titled cells."""
        ids = [index for index, column in enumerate(self.columns) if column.kind is Kind.ID]
        lead = ids[0] + 1 if ids else 1
        for row in self.rows:
            yield GAP.join(filter(None, row[:lead]))
            facts: list[str] = []
            for column, cell in zip(self.columns[lead:], row[lead:], strict=True):
                if cell in {"", "-"}:
                    continue
                titled = f"{column.title} {cell}".strip()
                if column.kind is Kind.FACT:
                    facts.append(titled)
                    continue
                yield from _format_facts(facts, max_width)
                facts = []
                words = [titled] if column.kind is Kind.ID else titled.split(" ")
                yield from _indent(wrap_words(words, max_width - len(GAP)))
            yield from _format_facts(facts, max_width)


def wrap_words(words: Iterable[str], width: int) -> list[str]:
    """Join words with blanks to lines of at most ``width``; a longer word is a line itself."""
    lines: list[str] = []
    for word in words:
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines or [""]


def _format_facts(facts: Sequence[str], max_width: int) -> Iterator[str]:
    """Format titled cells, with commas between them, to lines that break between cells."""
    if facts:
        words = [*(f"{fact}," for fact in facts[:-1]), facts[-1]]
        yield from _indent(wrap_words(words, max_width - len(GAP)))


def _indent(lines: Iterable[str]) -> Iterator[str]:
    return (f"{GAP}{line}" for line in lines)


def _get_longest_word(cell: str) -> int:
    return max(map(cell_len, cell.split(" ")))


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def _build_line(line: str, style: str = "") -> Text:
    return Text(line, style=style, no_wrap=True, overflow="ignore")
