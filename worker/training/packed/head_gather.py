"""The slots of a layout head by head, as batched matrix products want them: one gather for all groups, and one on the way back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.packed.packed_layout import Layout


@dataclass(frozen=True)
class ByHead:
    """The same slots of every head: those of all tokens, or of each row's first. Behind them is one that is nobody's, and 0."""

    heads: int
    shapes: Sequence[tuple[int, int]]
    """Of each group: its rows, and how many slots of a row are taken. They are in the order of group, row, head and slot."""
    empty: Tensor | None
    """Of shape (slots * heads, 1), bool: slots without a token of their own. None: there are none."""
    _places: Tensor
    """Of shape (slots * heads,): place * heads + head."""
    _way_back: Tensor
    """Of shape (places * heads,): whose slot is each place and head's; of places that have none, nobody's."""

    def gathered(self, flat: Tensor) -> Tensor:
        """From (places, heads, head_dim) to (slots * heads, head_dim)."""
        return flat.flatten(0, 1).index_select(0, self._places)

    def new(self, like: Tensor) -> Tensor:
        """Of shape (slots * heads + 1, head_dim), to be filled."""
        made = like.new_empty(len(self._places) + 1, like.shape[-1])
        made[-1].zero_()
        return made

    def by_group(self, slots: Tensor) -> Iterator[Tensor]:
        """Views of what was gathered or is new, each of shape (rows * heads, slots of a row, head_dim)."""
        parts = slots[: len(self._places)].split(
            [rows * self.heads * length for rows, length in self.shapes]
        )
        return (
            part.view(-1, length, part.shape[1])
            for part, (_, length) in zip(parts, self.shapes, strict=True)
        )

    def flat(self, filled: Tensor) -> Tensor:
        """From (slots * heads + 1, head_dim) to (places, heads, head_dim); 0 at places without a slot."""
        return filled.index_select(0, self._way_back).view(-1, self.heads, filled.shape[1])


def by_head(layout: Layout, heads: int, *, first: bool = False) -> ByHead:
    """Of all tokens, or of the rows' first ones; worked out once for a layout."""
    key = ("by head", heads, first)
    if key not in layout.kept:
        layout.kept[key] = _worked_out(layout, heads, first)
    found: ByHead = layout.kept[key]
    return found


def _worked_out(layout: Layout, heads: int, first: bool) -> ByHead:
    shapes, places, real, slots, end = [], [], [], [], 0
    for group, its in zip(
        layout.groups, layout.places.split([its.slots for its in layout.groups]), strict=True
    ):
        length = 1 if first else group.length
        shape, start, end = (group.rows, heads, length), end, end + group.rows * heads * length
        shapes.append((group.rows, length))
        places.append(its.view(group.rows, 1, group.length)[:, :, :length])
        has = (
            torch.ones(group.rows, length, dtype=torch.bool)
            if group.real is None
            else group.real[:, :length]
        )
        real.append(has)
        slots.append(torch.arange(start, end).view(shape).transpose(1, 2).reshape(-1, heads))
    own = torch.cat([has.flatten() for has in real]).nonzero().squeeze(1)
    taken = torch.cat([part.flatten() for part in places]).index_select(0, own)
    way_back = torch.full((len(layout.slot_of_place), heads), end)
    way_back.index_copy_(0, taken, torch.cat(slots).index_select(0, own))
    empty = torch.cat([has[:, None].expand(-1, heads, -1).flatten() for has in real]).logical_not()
    return ByHead(
        heads=heads,
        shapes=shapes,
        empty=None if len(own) * heads == end else empty[:, None],
        _places=torch.cat(
            [(part * heads + torch.arange(heads)[:, None]).flatten() for part in places]
        ),
        _way_back=way_back.flatten(),
    )
