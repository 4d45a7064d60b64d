"""What the first cell of one column shows when it is compared with the cells below it."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.datasets.readers.cells import is_number

MAX_NAME_CHARS = 40
MAX_NAME_WORDS = 5
MAX_NUMBER_CHARS = 32
MIN_RARITY = 20
"""Rarity from which an unseen first cell is evidence: if the first line were a row, one file in
twenty would begin with a value that no other row has.
"""
MIN_COMMON_PREFIX = 3
MIN_PREFIXED_ROWS = 8
NUMERIC_SHARE = 0.9
"""Share of numbers that makes a column numeric; the others may be "n/a"."""
NAME_MARKS = frozenset(" _-./#()[]&'’:?？؟")
QUESTION_MARKS = ("?", "？", "؟", ":", "：")
MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "-", "?", "."})


def is_number_like(cell: str) -> bool:
    """Return whether a cell is a number as people write it: a decimal comma counts."""
    plain = cell.strip()
    if not 0 < len(plain) <= MAX_NUMBER_CHARS:
        return False
    return is_number(plain.replace(",", ".", 1).replace("\u2212", "-"))


def looks_like_name(cell: str) -> bool:
    """Return whether a cell could be a column's name: short, few words, no sentence.

    Combining marks are parts of words in many scripts.
    """
    name = cell.strip()
    if not 0 < len(name) <= MAX_NAME_CHARS or len(name.split()) > MAX_NAME_WORDS:
        return False
    first, inner = name[0], name[:-1]
    return (
        unicodedata.category(first)[0] == "L"
        and all(char in NAME_MARKS or unicodedata.category(char)[0] in "LMN" for char in name)
        and not name.endswith(".")
        and not any(mark in inner for mark in ("?", "？", "؟", ": "))
        and ". " not in name
    )


@dataclass(frozen=True)
class ColumnEvidence:
    """A first cell and the filled cells below it, all without surrounding blanks."""

    first: str
    below: Sequence[str]

    @cached_property
    def counts(self) -> Counter[str]:
        return Counter(self.below)

    @property
    def is_repeated(self) -> bool:
        """Whether the first cell occurs again below, like a value."""
        return self.first in self.counts

    @cached_property
    def is_numeric(self) -> bool:
        numbers = sum(count for cell, count in self.counts.items() if is_number_like(cell))
        return bool(self.below) and numbers >= NUMERIC_SHARE * len(self.below)

    @property
    def is_number_above_numbers(self) -> bool:
        return self.is_numeric and is_number_like(self.first)

    @property
    def is_word_above_numbers(self) -> bool:
        return (
            self.is_numeric
            and bool(self.first)
            and not is_number_like(self.first)
            and self.first.casefold() not in MISSING_WORDS
        )

    @property
    def is_number_above_words(self) -> bool:
        return (
            is_number_like(self.first)
            and bool(self.below)
            and not any(is_number_like(cell) for cell in self.counts)
        )

    @cached_property
    def is_index(self) -> bool:
        """Whether an empty cell stands above 0, 1, 2, …, as a data frame's index is written."""
        start = self.below[0] if self.below else ""
        return (
            not self.first
            and start in ("0", "1")
            and all(cell == str(row) for row, cell in enumerate(self.below, start=int(start)))
        )

    @cached_property
    def is_category(self) -> bool:
        """Whether few values repeat, as labels do."""
        return bool(self.below) and len(self.counts) <= len(self.below) / 2

    @cached_property
    def rarity(self) -> float:
        """How many files would have to begin with a row for one to begin with a value that no
        other row has (Good and Turing's estimate); 0 for a first cell that occurs again or
        stands for a missing value.
        """
        is_missing = not self.first or self.first.casefold() in MISSING_WORDS
        if is_missing or not self.below or self.is_repeated:
            return 0.0
        singles = sum(count == 1 for count in self.counts.values())
        return (len(self.below) + 1) / (singles + 1)

    @cached_property
    def lacks_common_prefix(self) -> bool:
        """Whether all cells below begin alike, and the first cell does not."""
        if not self.first or len(self.below) < MIN_PREFIXED_ROWS or len(self.counts) < 2:
            return False
        # what the first and the last in order share, all share
        lowest, highest = min(self.counts), max(self.counts)
        length = next(
            (
                place
                for place, pair in enumerate(zip(lowest, highest, strict=False))
                if pair[0] != pair[1]
            ),
            min(len(lowest), len(highest)),
        )
        return length >= MIN_COMMON_PREFIX and not self.first.startswith(lowest[:length])

    @cached_property
    def is_shorter(self) -> bool:
        """Whether the first cell is shorter than every cell below."""
        return len(self.counts) > 1 and 0 < len(self.first) < min(map(len, self.counts))

    @cached_property
    def is_much_shorter(self) -> bool:
        return self.is_shorter and 2 * len(self.first) < min(map(len, self.counts))

    @cached_property
    def is_much_longer(self) -> bool:
        """Whether the first cell is more than twice as long as every cell below."""
        return len(self.counts) > 1 and len(self.first) > 2 * max(map(len, self.counts))

    @cached_property
    def is_lone_question(self) -> bool:
        """Whether the first cell ends like a question of a form, and hardly any below does."""
        if not self.first.endswith(QUESTION_MARKS):
            return False
        return sum(cell.endswith(QUESTION_MARKS) for cell in self.below) * 10 <= len(self.below)

    @property
    def is_above_names(self) -> bool:
        """Whether the cells below look like names themselves."""
        return bool(self.counts) and all(map(looks_like_name, self.counts))
