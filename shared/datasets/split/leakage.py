"""Texts that occur on both sides of a split. A model is scored too well on a text that it was
trained on, or wrongly if the labels differ.

Texts are compared without case and with runs of blanks collapsed, second texts included. Only
digests are kept, 16 bytes per row.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.datasets.examples import Examples
from shared.domain.job_facts import LeakSummary
from shared.domain.task import Label

MAX_ROWS_NAMED = 5
PAIR_SEPARATOR = "\x1f"  # keeps "a b" + "c" apart from "a" + "b c"


def hash_texts(examples: Examples) -> list[bytes]:
    """Compute a digest that is equal for rows with the same text, or pair of texts."""
    seconds = examples.second_texts if examples.second_texts is not None else [""] * len(examples)
    return [
        hashlib.blake2b(
            f"{_normalize_text(first)}{PAIR_SEPARATOR}{_normalize_text(second)}".encode(),
            digest_size=16,
        ).digest()
        for first, second in zip(examples.texts, seconds, strict=True)
    ]


def _normalize_text(text: str) -> str:
    return " ".join(text.casefold().split())


@dataclass(frozen=True, slots=True)
class PartRows:
    """Rows of one part of a split, of a file with these digests and labels."""

    digests: Sequence[bytes]
    labels: Sequence[Label]
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Leak:
    """Rows whose text also occurs in a training row."""

    rows: list[int]
    """Row numbers in their file, from 1."""
    conflicting_count: int
    """Number of those rows with a label that none of the training rows has."""

    @classmethod
    def merge_leaks(cls, leaks: Iterable["Leak"]) -> "Leak":
        """Add up the leaks of several disjoint parts of one file."""
        found = list(leaks)
        return cls(
            sorted(row for one in found for row in one.rows),
            sum(one.conflicting_count for one in found),
        )

    def format_rows(self, split: str) -> str:
        """Begin a sentence about these rows: ``2 test rows (4, 9) have``."""
        count = len(self.rows)
        named = ", ".join(map(str, self.rows[:MAX_ROWS_NAMED]))
        more = f" and {count - MAX_ROWS_NAMED:,} more" if count > MAX_ROWS_NAMED else ""
        rows, have = ("rows", "have") if count > 1 else ("row", "has")
        return f"{count:,} {split} {rows} ({named}{more}) {have}"

    def summarize(self) -> LeakSummary:
        """Return the leak as in ``dataset.leakage`` of a job."""
        return LeakSummary(
            rows=len(self.rows),
            first_rows=self.rows[:MAX_ROWS_NAMED],
            conflicting_labels=self.conflicting_count,
        )


def find_common_texts(texts: PartRows, other: PartRows) -> list[int]:
    """Return the rows of ``other`` whose text is among ``texts``, as numbers from 1."""
    known = {texts.digests[row] for row in texts.rows}
    return [row + 1 for row in other.rows if other.digests[row] in known]


def find_leak(train: PartRows, other: PartRows) -> Leak:
    """Find the rows of ``other`` that leak from the training rows."""
    labels_of_text: dict[bytes, set[Label]] = {}
    for row in train.rows:
        labels_of_text.setdefault(train.digests[row], set()).add(train.labels[row])
    found = [row for row in other.rows if other.digests[row] in labels_of_text]
    conflicting = sum(other.labels[row] not in labels_of_text[other.digests[row]] for row in found)
    return Leak([row + 1 for row in found], conflicting)
