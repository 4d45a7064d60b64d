"""Where the rows of a batch lie in one flat sequence of tokens, and which of them have their attention computed in one go.

A batch without padding is its rows one behind another. Networks that are trained side by side have a sequence each, all of the same
width: the shorter ones end in padding tokens, which belong to no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from worker.training.device import to_device

VECTOR = 16  # keys; of fewer, torch's softmax takes one at a time (AVX-512), ten times as long in all
MOST_ROWS = 64  # of a group on a CPU; its weights should stay in the cache, and more ways to cut take longer to compare

# What attention costs on a CPU, in cells: a cell is a query and a key in all heads (12 heads of 32, forward and backward).
CALL = 1900
PADDED_CALL = 2400
PADDED_TOKEN = 30


@dataclass(frozen=True)
class Group:
    """Rows whose attention is computed together. They have ``rows * length`` slots: token t of row r is in slot ``r * length + t``."""

    rows: int
    length: int
    """At least the tokens of the longest row."""
    start: int
    """Place of the first row's first token."""
    places: Tensor | None = None
    """Of shape (slots,), int64: whose token each slot has; where there is none, some other of the row. None: a single row, as it lies."""
    real: Tensor | None = None
    """Of shape (rows, length), bool: whether a slot has a token of its own. None: every slot has."""


@dataclass(frozen=True)
class Layout:
    """The rows of S flat sequences, whose places are numbered through: token t of sequence s is at ``s * width + t``."""

    lengths: tuple[tuple[int, ...], ...]
    """Of the rows of each sequence, in order; every sequence has as many rows."""
    width: int
    """Tokens of a sequence, the padding at its end counted."""
    first_tokens: Tensor
    """Of shape (S, rows), int64: the places of the rows' first tokens."""
    groups: tuple[Group, ...]
    """Every row in exactly one."""
    slot_of_place: Tensor | None
    """Of shape (S * width,), int64, the slots of all groups numbered through; of padding, any. None: slots and places are the same."""
    padding: Tensor | None
    """Of shape (S * width,), bool: whether a token belongs to no row. None: every token belongs to one."""


def lay_out(lengths: Sequence[Sequence[int]], device: torch.device) -> Layout:
    """Rows of these lengths, by sequence; cheapest where the rows of a sequence come sorted by length.

    On a CPU rows of like length make a group; elsewhere all rows do, since there a call is dear and padding cheap.
    """
    width = max(map(sum, lengths))
    starts = [
        index * width + start for index, rows in enumerate(lengths) for start in list(accumulate(rows, initial=0))[:-1]
    ]
    flat = [length for rows in lengths for length in rows]
    parts = groups_of(flat) if device.type == "cpu" else [list(range(len(flat)))]
    groups = [_group([starts[row] for row in part], [flat[row] for row in part]) for part in parts]
    slot_of_place, padding = _way_back(groups, len(lengths) * width)
    return Layout(
        lengths=tuple(tuple(rows) for rows in lengths),
        width=width,
        first_tokens=to_device(torch.tensor(starts).view(len(lengths), -1), device),
        groups=tuple(_on(device, group) for group in groups),
        slot_of_place=None if slot_of_place is None else to_device(slot_of_place, device),
        padding=None if padding is None else to_device(padding, device),
    )


def groups_of(lengths: Sequence[int]) -> list[list[int]]:
    """The rows, sorted by length, cut into the groups that cost least in all."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    least, begins = [0], [0]  # of the first n rows: what they cost at least, and where their last group then begins
    for end in range(1, len(order) + 1):
        length = lengths[order[end - 1]]
        costs = {begin: least[begin] + _cost(end - begin, length) for begin in range(max(0, end - MOST_ROWS), end)}
        begins.append(min(costs, key=costs.__getitem__))
        least.append(costs[begins[-1]])
    groups, end = [], len(order)
    while end:
        groups.append(order[begins[end] : end])
        end = begins[end]
    return groups[::-1]


def _cost(rows: int, length: int) -> int:
    if rows == 1 and length >= VECTOR:
        return CALL + length**2
    padded = max(length, VECTOR)
    return PADDED_CALL + rows * (padded**2 + PADDED_TOKEN * padded)


def _group(starts: Sequence[int], lengths: Sequence[int]) -> Group:
    rows, length = len(lengths), max(VECTOR, *lengths)
    if rows == 1 and length == lengths[0]:
        return Group(rows, length, starts[0])
    within = torch.arange(length)
    real = within < torch.tensor(lengths)[:, None]
    places = torch.tensor(starts)[:, None] + within * real
    return Group(rows, length, starts[0], places.flatten(), None if bool(real.all()) else real)


def _way_back(groups: Sequence[Group], places: int) -> tuple[Tensor | None, Tensor | None]:
    """``slot_of_place`` and ``padding`` of a layout of so many places."""
    taken = torch.cat([torch.arange(g.start, g.start + g.length) if g.places is None else g.places for g in groups])
    real = torch.cat(
        [torch.ones(g.rows * g.length, dtype=torch.bool) if g.real is None else g.real.flatten() for g in groups]
    )
    slots = real.nonzero().squeeze(1)
    slot_of_place = torch.zeros(places, dtype=torch.int64).index_copy_(0, taken[slots], slots)
    padding = torch.ones(places, dtype=torch.bool).index_fill_(0, taken[slots], False)
    in_place = len(slots) == places == len(taken) and bool((taken == torch.arange(places)).all())
    return None if in_place else slot_of_place, padding if bool(padding.any()) else None


def _on(device: torch.device, group: Group) -> Group:
    if group.places is None:
        return group
    real = None if group.real is None else to_device(group.real, device)
    return replace(group, places=to_device(group.places, device), real=real)
