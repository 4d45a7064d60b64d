"""The known name that a misspelled one probably means."""

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.6
"""Least similarity of two names, from 0 to 1, at which one is taken for the other."""


def find_nearest_name(name: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """Return the most similar of the known names; None if none is similar. Case is ignored."""
    folded = name.casefold()
    by_folded = {one.casefold(): one for one in known}
    for one in by_folded:  # of a short name, two swapped letters are too large a part
        if sorted(one) == sorted(folded):
            return by_folded[one]
    nearest = get_close_matches(folded, by_folded, n=1, cutoff=likeness)
    return by_folded[nearest[0]] if nearest else None
