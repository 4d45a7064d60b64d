"""The unlabelled texts that a distillation adds to its training rows: one rule for the API, which
counts them, and the worker, which trains on them.
"""

from collections.abc import Iterable, Sequence
from random import Random

SAMPLE_SEED = 0


def find_new_texts(unlabelled: Sequence[bytes], training: Iterable[bytes]) -> list[int]:
    """Return the rows whose text is no training row's and no earlier row's, as ascending indices.

    The arguments are the digests of ``leakage.hash_texts``.
    """
    known = set(training)
    new: list[int] = []
    for row, digest in enumerate(unlabelled):
        if digest not in known:
            known.add(digest)
            new.append(row)
    return new


def count_readable_texts(new_texts: int, train_rows: int, max_steps: int, batch_size: int) -> int:
    """Return how many of the new texts a distillation of this length reads.

    Its steps are those of the recipe. It reads every training row, and as many of the new texts
    as the rest of its batches has room for.
    """
    return min(new_texts, max(0, max_steps * batch_size - train_rows))


def sample_texts(rows: Sequence[int], count: int) -> list[int]:
    """Return this many of the rows, the same ones for every run, as ascending indices."""
    return sorted(Random(SAMPLE_SEED).sample(rows, count))
