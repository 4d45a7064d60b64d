"""Where the rows of a batch lie in a packed sequence, and which rows share an attention call.

A packed batch is its rows one after another, followed by up to seven padding tokens so that few
sizes occur. Networks trained side by side have one sequence each, all of the same width: the
shorter ones end in more padding.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar, cast

import torch
from torch import Tensor

from worker.training.device import to_device

T = TypeVar("T")

# Sizes are rounded up to these multiples: for every new size oneDNN compiles its kernels anew,
# about 4 ms per step, and it caches 1,024 of them.
TOKEN_MULTIPLE = 8
"""Multiple of the tokens in a sequence."""
SLOT_MULTIPLE = 16
"""Multiple of the slots of a row. With fewer keys, torch's softmax is scalar (AVX-512) and takes
ten times as long in all."""

MAX_GROUP_ROWS = 64
"""Most rows of a group on a CPU: its attention weights should fit in the cache, and comparing
more partitions takes longer."""

# Cost of attention on a CPU in cells. A cell is one query and one key in all heads (12 heads of
# 32, forward and backward).
CALL_COST = 5000
PADDED_TOKEN_COST = 30


@dataclass(frozen=True)
class RowGroup:
    """Rows whose attention is computed together.

    A group has ``rows * length`` slots: token t of row r is in slot ``r * length + t``.
    """

    rows: int
    length: int
    """At least the number of tokens of the longest row."""
    token_mask: Tensor | None = None
    """Of shape (rows, length), bool: whether a slot has a token. None if every slot has one."""

    @property
    def slots(self) -> int:
        return self.rows * self.length


@dataclass(frozen=True)
class PackedLayout:
    """The rows of S packed sequences. Token t of sequence s is at place ``s * width + t``."""

    lengths: tuple[tuple[int, ...], ...]
    """Row lengths of each sequence, in order; every sequence has the same number of rows."""
    width: int
    """Tokens of a sequence, including the padding at its end."""
    first_tokens: Tensor
    """Of shape (S, rows), int64: the places of the rows' first tokens."""
    groups: tuple[RowGroup, ...]
    """A partition of the rows. Slots are numbered consecutively over all groups."""
    places: Tensor
    """Of shape (slots,), int64: the place of each slot's token; of another token of the row if
    the slot has none."""
    slot_of_place: Tensor
    """Of shape (S * width,), int64: the slot of each place; arbitrary for padding."""
    padding_mask: Tensor | None
    """Of shape (S * width,), bool: whether a token is padding. None if there is no padding."""
    first_queries_only: bool = False
    """Whether only the first token of each row attends, because nothing reads the other results."""
    cache: dict[Hashable, object] = field(default_factory=dict, compare=False)
    """Values derived from the layout, shared by all blocks of a network."""

    def get_cached(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the cached value of ``key``, computing it on first use."""
        if key not in self.cache:
            self.cache[key] = compute()
        return cast(T, self.cache[key])


def build_packed_layout(lengths: Sequence[Sequence[int]], device: torch.device) -> PackedLayout:
    """Lay out rows of these lengths, given by sequence.

    Attention is cheapest if the rows of each sequence are sorted by length. On a CPU, rows of
    similar length form a group. On other devices all rows form one group, since a call is
    expensive there and padding is cheap.
    """
    width = _round_up(TOKEN_MULTIPLE, max(map(sum, lengths)))
    starts = _compute_row_starts(lengths, width)
    flat = [length for rows in lengths for length in rows]
    groups = partition_rows(flat) if device.type == "cpu" else [list(range(len(flat)))]
    slots = [
        _assign_slots([starts[row] for row in rows], [flat[row] for row in rows]) for rows in groups
    ]
    places = torch.cat([group_places.flatten() for group_places, _ in slots])
    token_mask = torch.cat([group_mask.flatten() for _, group_mask in slots])
    slot_of_place, padding = _map_places_to_slots(places, token_mask, len(lengths) * width)
    return PackedLayout(
        lengths=tuple(tuple(rows) for rows in lengths),
        width=width,
        first_tokens=to_device(torch.tensor(starts).view(len(lengths), -1), device),
        groups=tuple(_build_group(group_mask, device) for _, group_mask in slots),
        places=to_device(places, device),
        slot_of_place=to_device(slot_of_place, device),
        padding_mask=to_device(padding, device) if bool(padding.any()) else None,
    )


def _compute_row_starts(lengths: Sequence[Sequence[int]], width: int) -> list[int]:
    """Return the place of each row's first token, over all sequences."""
    return [
        index * width + start
        for index, rows in enumerate(lengths)
        for start in list(accumulate(rows, initial=0))[:-1]
    ]


def partition_rows(lengths: Sequence[int]) -> list[list[int]]:
    """Sort the rows by length and cut them into groups of least total cost."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    # of the first n rows: their least cost, and where their last group then starts
    least_costs, group_starts = [0], [0]
    for end in range(1, len(order) + 1):
        length = lengths[order[end - 1]]
        costs = {
            start: least_costs[start] + _estimate_group_cost(end - start, length)
            for start in range(max(0, end - MAX_GROUP_ROWS), end)
        }
        group_starts.append(min(costs, key=costs.__getitem__))
        least_costs.append(costs[group_starts[-1]])
    groups, end = [], len(order)
    while end:
        groups.append(order[group_starts[end] : end])
        end = group_starts[end]
    return groups[::-1]


def _estimate_group_cost(rows: int, length: int) -> int:
    padded = _round_up(SLOT_MULTIPLE, length)
    return CALL_COST + rows * (padded**2 + PADDED_TOKEN_COST * padded)


def _round_up(multiple: int, size: int) -> int:
    return -(-size // multiple) * multiple


def _assign_slots(starts: Sequence[int], lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return a group's ``places`` and ``token_mask``, both of shape (rows, length)."""
    offsets = torch.arange(_round_up(SLOT_MULTIPLE, max(lengths)))
    token_mask = offsets < torch.tensor(lengths)[:, None]
    return torch.tensor(starts)[:, None] + offsets * token_mask, token_mask


def _build_group(token_mask: Tensor, device: torch.device) -> RowGroup:
    rows, length = token_mask.shape
    return RowGroup(rows, length, None if bool(token_mask.all()) else to_device(token_mask, device))


def _map_places_to_slots(
    places: Tensor, token_mask: Tensor, place_count: int
) -> tuple[Tensor, Tensor]:
    """Return ``slot_of_place`` and ``padding_mask``; both inputs have shape (slots,)."""
    slots = token_mask.nonzero().squeeze(1)
    taken = places[slots]
    slot_of_place = torch.zeros(place_count, dtype=torch.int64).index_copy_(0, taken, slots)
    padding = torch.ones(place_count, dtype=torch.bool).index_fill_(0, taken, False)
    return slot_of_place, padding
