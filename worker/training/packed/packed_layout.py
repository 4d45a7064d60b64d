"""Where the rows of a batch lie in one flat sequence of tokens, and which of them have their
attention computed in one go.

A batch without padding is its rows one behind another, and up to seven tokens that belong to no
row, so that few sizes occur. Networks that are trained side by side have a sequence each, all
of the same width: the shorter ones end in more such tokens.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from worker.training.device import to_device

# Sizes are multiples of these. For every size that is new oneDNN compiles its kernels anew,
# some 4 ms a step, and it keeps 1,024 of them.
TOKEN_MULTIPLE = 8  # of a sequence
# of a row; of fewer keys, torch's softmax takes one at a time (AVX-512), ten times as long in
# all
SLOT_MULTIPLE = 16

# of a group on a CPU; its weights should stay in the cache, and more ways to cut take longer to
# compare
MAX_GROUP_ROWS = 64

# What attention costs on a CPU, in cells: a cell is a query and a key in all heads (12 heads of
# 32, forward and backward).
CALL_COST = 5000
PADDED_TOKEN_COST = 30


@dataclass(frozen=True)
class RowGroup:
    """Rows whose attention is computed together. They have ``rows * length`` slots: token t of
    row r is in slot ``r * length + t``.
    """

    rows: int
    length: int
    """At least the tokens of the longest row."""
    token_mask: Tensor | None = None
    """Of shape (rows, length), bool: whether a slot has a token of its own. None: every slot
    has.
    """

    @property
    def slots(self) -> int:
        return self.rows * self.length


@dataclass(frozen=True)
class PackedLayout:
    """The rows of S flat sequences, whose places are numbered through: token t of sequence s is
    at ``s * width + t``.
    """

    lengths: tuple[tuple[int, ...], ...]
    """Of the rows of each sequence, in order; every sequence has as many rows."""
    width: int
    """Tokens of a sequence, the padding at its end counted."""
    first_tokens: Tensor
    """Of shape (S, rows), int64: the places of the rows' first tokens."""
    groups: tuple[RowGroup, ...]
    """Every row in exactly one. Their slots are numbered through."""
    places: Tensor
    """Of shape (slots,), int64: whose token each slot has; where there is none, some other of
    the row.
    """
    slot_of_place: Tensor
    """Of shape (S * width,), int64; of padding, any."""
    padding_mask: Tensor | None
    """Of shape (S * width,), bool: whether a token belongs to no row. None: every token belongs
    to one.
    """
    first_queries_only: bool = False
    """Whether in attention only the rows' first tokens look at the others, because nothing
    reads what any other would see.
    """
    cache: dict[Hashable, Any] = field(default_factory=dict, compare=False)
    """What is worked out of the above at its first use, and is the same in every block of a
    network.
    """


def build_packed_layout(lengths: Sequence[Sequence[int]], device: torch.device) -> PackedLayout:
    """Rows of these lengths, by sequence; cheapest where the rows of a sequence come sorted by
    length.

    On a CPU rows of like length make a group; elsewhere all rows do, since there a call is dear
    and padding cheap.
    """
    width = _round_up(TOKEN_MULTIPLE, max(map(sum, lengths)))
    starts = [
        index * width + start
        for index, rows in enumerate(lengths)
        for start in list(accumulate(rows, initial=0))[:-1]
    ]
    flat = [length for rows in lengths for length in rows]
    parts = partition_rows(flat) if device.type == "cpu" else [list(range(len(flat)))]
    slots = [
        _assign_slots([starts[row] for row in part], [flat[row] for row in part]) for part in parts
    ]
    places = torch.cat([its.flatten() for its, _ in slots])
    slot_of_place, padding = _map_places_to_slots(
        places, torch.cat([real.flatten() for _, real in slots]), len(lengths) * width
    )
    return PackedLayout(
        lengths=tuple(tuple(rows) for rows in lengths),
        width=width,
        first_tokens=to_device(torch.tensor(starts).view(len(lengths), -1), device),
        groups=tuple(_build_group(real, device) for _, real in slots),
        places=to_device(places, device),
        slot_of_place=to_device(slot_of_place, device),
        padding_mask=to_device(padding, device) if bool(padding.any()) else None,
    )


def partition_rows(lengths: Sequence[int]) -> list[list[int]]:
    """The rows, sorted by length, cut into the groups that cost least in all."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    least, begins = (
        [0],
        [0],
    )  # of the first n rows: what they cost at least, and where their last group then begins
    for end in range(1, len(order) + 1):
        length = lengths[order[end - 1]]
        costs = {
            begin: least[begin] + _estimate_group_cost(end - begin, length)
            for begin in range(max(0, end - MAX_GROUP_ROWS), end)
        }
        begins.append(min(costs, key=costs.__getitem__))
        least.append(costs[begins[-1]])
    groups, end = [], len(order)
    while end:
        groups.append(order[begins[end] : end])
        end = begins[end]
    return groups[::-1]


def _estimate_group_cost(rows: int, length: int) -> int:
    padded = _round_up(SLOT_MULTIPLE, length)
    return CALL_COST + rows * (padded**2 + PADDED_TOKEN_COST * padded)


def _round_up(multiple: int, size: int) -> int:
    return -(-size // multiple) * multiple


def _assign_slots(starts: Sequence[int], lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Of a group: ``places`` and ``real``, both of shape (rows, length)."""
    within = torch.arange(_round_up(SLOT_MULTIPLE, max(lengths)))
    real = within < torch.tensor(lengths)[:, None]
    return torch.tensor(starts)[:, None] + within * real, real


def _build_group(token_mask: Tensor, device: torch.device) -> RowGroup:
    rows, length = token_mask.shape
    return RowGroup(rows, length, None if bool(token_mask.all()) else to_device(token_mask, device))


def _map_places_to_slots(
    places: Tensor, token_mask: Tensor, place_count: int
) -> tuple[Tensor, Tensor]:
    """``slot_of_place`` and ``padding`` of a layout of so many places; ``real`` as in the
    groups, of shape (slots,).
    """
    slots = token_mask.nonzero().squeeze(1)
    taken = places[slots]
    slot_of_place = torch.zeros(place_count, dtype=torch.int64).index_copy_(0, taken, slots)
    padding = torch.ones(place_count, dtype=torch.bool).index_fill_(0, taken, False)
    return slot_of_place, padding
