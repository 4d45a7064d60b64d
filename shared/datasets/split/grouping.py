"""Splits that keep the rows of a group together and stay as stratified as the groups allow."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from shared.datasets.split.stratified_split import hash_row
from shared.domain.errors import InvalidValue
from shared.domain.wording import format_count

ALL_ROWS = -1  # one more stratum of all rows, so that the totals of the parts count as well


def split_groups(
    strata: Sequence[int],
    groups: Sequence[str],
    rows: Sequence[int],
    shares: Sequence[Fraction],
    seed: int,
) -> list[list[int]]:
    """Distribute the rows over the parts in these ``shares``, keeping groups whole and no part
    empty.

    Greedy: groups in order of size, the largest first, each to the part where it reduces Σ
    (rows - wanted rows)² / rows most, summed over the strata and the total. Raises
    ``InvalidValue`` if there are fewer groups than parts.
    """
    members: dict[str, list[int]] = {}
    for row in rows:
        members.setdefault(groups[row], []).append(row)
    if len(members) < len(shares):
        raise InvalidValue(
            f"The rows form {format_count(len(members), 'group')}, too few for "
            f"{format_count(len(shares), 'part')}.",
            param="split.group_by",
        )
    # the largest group first
    order = sorted(
        members, key=lambda group: (-len(members[group]), hash_row(seed, members[group][0]))
    )
    counts = {group: _count_strata(strata, members[group]) for group in order}
    parts = _place_groups(counts, _count_strata(strata, rows), shares)
    _fill_empty_parts(parts)
    return [sorted(row for group in part for row in members[group]) for part in parts]


def _place_groups(
    counts: dict[str, dict[int, int]], totals: dict[int, int], shares: Sequence[Fraction]
) -> list[list[str]]:
    """Place each group, in order, into the part that it improves most."""
    spare = [
        {stratum: float(share * total) for stratum, total in totals.items()} for share in shares
    ]
    parts: list[list[str]] = [[] for _ in shares]
    for group, group_counts in counts.items():
        place = min(
            range(len(parts)),
            key=lambda part: _compute_cost_change(group_counts, spare[part], totals),
        )
        parts[place].append(group)
        for stratum, count in group_counts.items():
            spare[place][stratum] -= count
    return parts


def _count_strata(strata: Sequence[int], rows: Sequence[int]) -> dict[int, int]:
    counts = Counter(strata[row] for row in rows)
    return {ALL_ROWS: len(rows), **{stratum: counts[stratum] for stratum in sorted(counts)}}


def _compute_cost_change(
    counts: dict[int, int], spare: dict[int, float], totals: dict[int, int]
) -> float:
    """Return how much a part's sum of squares changes with this group."""
    return sum(
        count * (count - 2 * spare[stratum]) / totals[stratum] for stratum, count in counts.items()
    )


def _fill_empty_parts(parts: list[list[str]]) -> None:
    """Give an empty part the smallest group of the part that has most."""
    for part in parts:
        if not part:
            part.append(max(parts, key=len).pop())
