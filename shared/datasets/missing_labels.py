"""Words that stand for a missing label in many data sets. They stay labels, with a warning."""

from collections.abc import Mapping

from shared.datasets.readers.cells import is_integer

MISSING_WORDS = frozenset(
    {"nan", "n/a", "#n/a", "na", "<na>", "null", "none", "nil", "nat", "-", "--", "?", "unlabeled"}
)
"""Compared without case: Python's, pandas', R's, SQL's and Excel's words, and SNLI's ``-``."""

MISSING_NUMBER = "-1"
"""The hub's number for "no label", beside class numbers from 0."""


def stands_for_missing(label: str) -> bool:
    return label.strip().casefold() in MISSING_WORDS


def find_missing_labels(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the labels that look like a missing label, with their numbers of rows."""
    found = {label: count for label, count in counts.items() if stands_for_missing(label)}
    if MISSING_NUMBER in counts and _are_class_numbers(counts.keys() - found - {MISSING_NUMBER}):
        found[MISSING_NUMBER] = counts[MISSING_NUMBER]
    return dict(sorted(found.items()))


def _are_class_numbers(labels: set[str]) -> bool:
    return "0" in labels and all(is_integer(label) and label[0] != "-" for label in labels)
