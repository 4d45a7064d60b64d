"""Stratified split of a file, the same for every seed of every job on the same rows.

Rows are ordered by the SHA-256 of (seed, row index), and the first of each stratum go to
validation, the next to test. Neither ``random.shuffle`` nor NumPy's generators promise the same
order in every version; a hash gives it on every platform, for good.
"""

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from shared.domain.errors import InvalidValue
from shared.domain.task import SplitRequest

SPLIT_SCHEME = "evenkeel-split-1"
"""Part of what is hashed; another scheme needs another name."""


@dataclass(frozen=True, slots=True)
class RowSplit:
    """Ascending row indices from 0, each row in exactly one of the three parts."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split_by_strata(
    strata: Sequence[int], request: SplitRequest, *, needs_validation: bool = True
) -> RowSplit:
    """Choose the validation and test rows; with ``needs_validation=False`` (a validation file is
    given) only the test rows.

    Each part has ``fraction`` of all rows, rounded half up, distributed over the strata in
    proportion to their rows by largest remainder. A stratum with two or more rows has at least
    one in train and one in validation, and one with three or more has one in test as well; only
    these minimums can change a part's total. A stratum's only row is used for training.
    """
    fractions = (
        to_exact_fraction(request.validation_fraction) if needs_validation else Fraction(0),
        to_exact_fraction(request.test_fraction),
    )
    check_fractions(*fractions)
    groups: dict[int, list[int]] = {}
    for row, stratum in enumerate(strata):
        groups.setdefault(stratum, []).append(row)
    order = sorted(groups)
    counts = _count_part_rows([len(groups[stratum]) for stratum in order], *fractions)
    parts = RowSplit([], [], [])
    for stratum, (first, second) in zip(order, counts, strict=True):
        rows = sorted(groups[stratum], key=lambda row: hash_row(request.seed, row))
        parts.validation.extend(rows[:first])
        parts.test.extend(rows[first : first + second])
        parts.train.extend(rows[first + second :])
    return RowSplit(sorted(parts.train), sorted(parts.validation), sorted(parts.test))


def check_fractions(validation: Fraction, test: Fraction) -> None:
    """Raise ``InvalidValue`` if no row would be left for training."""
    if validation + test >= 1:
        raise InvalidValue(
            "The validation and test fractions leave no row for training. Lower one of them.",
            param="split.test_fraction",
        )


def _count_part_rows(
    sizes: list[int], validation: Fraction, test: Fraction
) -> list[tuple[int, int]]:
    """Return each stratum's number of validation and test rows."""
    # for train, and for test if there is one
    kept = [1 + (size >= 3 and test > 0) for size in sizes]
    for_validation = _apportion_rows(
        sizes,
        validation,
        minimums=[int(size >= 2) for size in sizes],
        maximums=[max(0, size - keep) for size, keep in zip(sizes, kept, strict=True)],
    )
    spare = [size - taken - 1 for size, taken in zip(sizes, for_validation, strict=True)]
    for_test = _apportion_rows(
        sizes, test, minimums=[min(1, rows) for rows in spare], maximums=spare
    )
    return list(zip(for_validation, for_test, strict=True))


def deal_rows(
    strata: Sequence[int], rows: Sequence[int], num_parts: int, seed: int
) -> list[list[int]]:
    """Deal the rows out to the parts: within each stratum and in total, two parts differ by at
    most one row.
    """
    order = sorted(rows, key=lambda row: (strata[row], hash_row(seed, row)))
    return [sorted(order[part::num_parts]) for part in range(num_parts)]


def to_exact_fraction(fraction: float) -> Fraction:
    """Convert to the decimal number that was meant: 0.1 is a tenth here, so that ties are ties."""
    return Fraction(repr(fraction))


def hash_row(seed: int, row: int) -> bytes:
    """Compute the hash that rows are ordered by."""
    return hashlib.sha256(f"{SPLIT_SCHEME}:{seed}:{row}".encode()).digest()


def _apportion_rows(
    sizes: list[int], fraction: Fraction, *, minimums: list[int], maximums: list[int]
) -> list[int]:
    """Apportion rows to each stratum within its bounds: proportionally, with the right total if
    the bounds allow it.
    """
    if fraction == 0:
        return [0] * len(sizes)
    # in units of 1/denominator, so that remainders are compared exactly
    quotas = [size * fraction.numerator for size in sizes]
    unit = fraction.denominator
    shares = [
        min(max(quota // unit, low), high)
        for quota, low, high in zip(quotas, minimums, maximums, strict=True)
    ]
    missing = int(sum(sizes) * fraction + Fraction(1, 2)) - sum(shares)
    step, bounds = (1, maximums) if missing > 0 else (-1, minimums)
    # the stratum farthest below its quota gains first, or the one farthest above it loses first;
    # a tie goes to the earlier stratum
    heap = [
        (step * (share * unit - quota), i)
        for i, (share, quota) in enumerate(zip(shares, quotas, strict=True))
    ]
    heapq.heapify(heap)
    while missing and heap:
        need, i = heapq.heappop(heap)
        if shares[i] != bounds[i]:
            shares[i] += step
            missing -= step
            heapq.heappush(heap, (need + unit, i))
    return shares
