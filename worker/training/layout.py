"""Where the rows of a batch lie in one flat sequence of tokens, and which of them have their attention computed in one go.

A batch without padding is its rows one behind another. Networks that are trained side by side have a sequence each, of the same width:
the shorter ones end in padding tokens, which belong to no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

# What attention costs on a CPU, in cells: a cell is a query and a key in all heads (measured with 12 heads of 32, forward and backward).
CALL = 900  # of a row by itself, beside its cells
PADDED_CALL = 1300  # of a padded group
PADDED_TOKEN = 11  # of bringing a token into the form of a padded group, and back


@dataclass(frozen=True)
class Group:
    """Rows whose attention is computed together, padded to the longest of them: token t of row r has slot ``r * length + t``.

    A row by itself is computed where it lies and needs no slots.
    """

    rows: int
    length: int
    """Tokens of the longest row."""
    start: int
    """Where the first of the rows begins in the flat sequences."""
    tokens: Tensor | None = None
    """Of shape (real tokens,): their places in the flat sequences."""
    slots: Tensor | None = None
    """Of the same shape: their slots."""
    real: Tensor | None = None
    """Of shape (rows, length), bool: whether a slot holds a token."""


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

    @property
    def is_padded(self) -> bool:
        """Whether some sequence ends in padding."""
        return any(sum(lengths) < self.width for lengths in self.lengths)


def lay_out(lengths: Sequence[Sequence[int]], device: torch.device) -> Layout:
    """Rows of these lengths, by sequence. On a CPU they are grouped by length; elsewhere all are one group, since a call is dear there."""
    width = max(map(sum, lengths))
    starts = [
        index * width + start for index, rows in enumerate(lengths) for start in list(accumulate(rows, initial=0))[:-1]
    ]
    flat = [length for rows in lengths for length in rows]
    parts = groups_of(flat) if device.type == "cpu" else [list(range(len(flat)))]
    return Layout(
        lengths=tuple(tuple(rows) for rows in lengths),
        width=width,
        first_tokens=torch.tensor(starts, device=device).view(len(lengths), -1),
        groups=tuple(_group([starts[row] for row in part], [flat[row] for row in part], device) for part in parts),
    )


def groups_of(lengths: Sequence[int]) -> list[list[int]]:
    """The rows, sorted by length, cut into the groups that cost least in all."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    least, begins = [0], [0]  # of the first n rows: what they cost at least, and where their last group begins then
    for end in range(1, len(order) + 1):
        length = lengths[order[end - 1]]
        costs = {begin: least[begin] + _cost(end - begin, length) for begin in range(end)}
        begins.append(min(costs, key=costs.__getitem__))
        least.append(costs[begins[-1]])
    groups, end = [], len(order)
    while end:
        groups.append(order[begins[end] : end])
        end = begins[end]
    return groups[::-1]


def _cost(rows: int, length: int) -> int:
    if rows == 1:
        return CALL + length**2
    return PADDED_CALL + rows * (length**2 + PADDED_TOKEN * length)


def _group(starts: Sequence[int], lengths: Sequence[int], device: torch.device) -> Group:
    rows, length = len(lengths), max(lengths)
    if rows == 1:
        return Group(rows, length, starts[0])
    within = torch.arange(length)
    real = within < torch.tensor(lengths)[:, None]
    places = (torch.tensor(starts)[:, None] + within)[real]
    slots = real.flatten().nonzero().squeeze(1)
    return Group(rows, length, starts[0], places.to(device), slots.to(device), real.to(device))
