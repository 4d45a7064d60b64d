"""The slots of a layout head by head, as batched matrix products want them: one gather for all groups, and one on the way back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.layout import Layout


@dataclass(frozen=True)
class ByHead:
    """The same slots of every head: those of all tokens, or of each row's first."""

    heads: int
    shapes: Sequence[tuple[int, int]]
    """Of each group: its rows, and how many slots of a row are taken. They are in the order of group, row, head and slot."""
    empty: Tensor | None
    """Of shape (slots * heads, 1), bool: slots without a token of their own. None: there are none."""
    _places: Tensor
    """Of shape (slots * heads,): place * heads + head."""
    _way_back: Tensor
    """Of shape (places * heads,): whose slot is each place and head's; of places that have none, any."""
    _without: Tensor | None
    """Of shape (places,), bool: which have none. None: every place has one."""

    def gathered(self, flat: Tensor) -> Tensor:
        """From (places, heads, head_dim) to (slots * heads, head_dim)."""
        return flat.flatten(0, 1).index_select(0, self._places)

    def by_group(self, gathered: Tensor) -> Iterator[Tensor]:
        """Views of what was gathered, each of shape (rows * heads, slots of a row, head_dim)."""
        parts = gathered.split([rows * self.heads * length for rows, length in self.shapes])
        return (part.view(-1, length, part.shape[1]) for part, (_, length) in zip(parts, self.shapes, strict=True))

    def flat(self, gathered: Tensor) -> Tensor:
        """From (slots * heads, head_dim) to (places, heads, head_dim); 0 at places without a slot."""
        flat = gathered.index_select(0, self._way_back).view(-1, self.heads, gathered.shape[1])
        return flat if self._without is None else flat.masked_fill_(self._without[:, None, None], 0.0)


def by_head(layout: Layout, heads: int, *, first: bool = False) -> ByHead:
    """Of all tokens, or of the rows' first ones; worked out once for a layout."""
    key = ("by head", heads, first)
    if key not in layout.kept:
        layout.kept[key] = _worked_out(layout, heads, first)
    found: ByHead = layout.kept[key]
    return found


def _worked_out(layout: Layout, heads: int, first: bool) -> ByHead:
    head = torch.arange(heads)[:, None]
    shapes, places, empty, slots, end = [], [], [], [], 0
    for group, its in zip(layout.groups, layout.places.split([its.slots for its in layout.groups]), strict=True):
        length = 1 if first else group.length
        shape, start, end = (group.rows, heads, length), end, end + group.rows * heads * length
        shapes.append((group.rows, length))
        places.append(its.view(group.rows, 1, group.length)[:, :, :length])
        real = its.new_ones((group.rows, length), dtype=torch.bool) if group.real is None else group.real[:, :length]
        empty.append(real.logical_not()[:, None].expand(shape).flatten())
        slots.append(torch.arange(start, end).view(shape).transpose(1, 2).reshape(-1, heads))
    number = len(layout.slot_of_place)
    way_back, without = torch.cat(slots), layout.padding
    if first:
        its = torch.cat([part.flatten() for part in places])
        way_back = way_back.new_zeros(number, heads).index_copy_(0, its, way_back)
        without = torch.ones(number, dtype=torch.bool).index_fill_(0, its, False)
    else:
        way_back = way_back.index_select(0, layout.slot_of_place)
    nobodys = torch.cat(empty)[:, None]
    return ByHead(
        heads=heads,
        shapes=shapes,
        empty=nobodys if bool(nobodys.any()) else None,
        _places=torch.cat([(part * heads + head).flatten() for part in places]),
        _way_back=way_back.flatten(),
        _without=without,
    )
