"""The slots of a layout head by head, as batched matrix products want them: one gather for all
groups, and one on the way back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.packed.packed_layout import PackedLayout


@dataclass(frozen=True)
class HeadGather:
    """The same slots of every head: those of all tokens, or of each row's first. Behind them is
    one that is nobody's, and 0.
    """

    heads: int
    shapes: Sequence[tuple[int, int]]
    """Of each group: its rows, and how many slots of a row are taken. They are in the order of
    group, row, head and slot.
    """
    empty_slots: Tensor | None
    """Of shape (slots * heads, 1), bool: slots without a token of their own. None: there are
    none.
    """
    _places: Tensor
    """Of shape (slots * heads,): place * heads + head."""
    _slot_of_place: Tensor
    """Of shape (places * heads,): whose slot is each place and head's; of places that have
    none, nobody's.
    """

    def gather_heads(self, flat: Tensor) -> Tensor:
        """From (places, heads, head_dim) to (slots * heads, head_dim)."""
        return flat.flatten(0, 1).index_select(0, self._places)

    def allocate_slots(self, like: Tensor) -> Tensor:
        """Of shape (slots * heads + 1, head_dim), to be filled."""
        made = like.new_empty(len(self._places) + 1, like.shape[-1])
        made[-1].zero_()
        return made

    def iterate_groups(self, slots: Tensor) -> Iterator[Tensor]:
        """Views of what was gathered or is new, each of shape (rows * heads, slots of a row,
        head_dim).
        """
        parts = slots[: len(self._places)].split(
            [rows * self.heads * length for rows, length in self.shapes]
        )
        return (
            part.view(-1, length, part.shape[1])
            for part, (_, length) in zip(parts, self.shapes, strict=True)
        )

    def gather_back(self, filled: Tensor) -> Tensor:
        """From (slots * heads + 1, head_dim) to (places, heads, head_dim); 0 at places without
        a slot.
        """
        return filled.index_select(0, self._slot_of_place).view(-1, self.heads, filled.shape[1])


def get_head_gather(
    layout: PackedLayout, heads: int, *, first_tokens_only: bool = False
) -> HeadGather:
    """Of all tokens, or of the rows' first ones; worked out once for a layout."""
    key = ("by head", heads, first_tokens_only)
    if key not in layout.cache:
        layout.cache[key] = _build_head_gather(layout, heads, first_tokens_only)
    found: HeadGather = layout.cache[key]
    return found


def _build_head_gather(layout: PackedLayout, heads: int, first_tokens_only: bool) -> HeadGather:
    shapes, places, real, slots, end = [], [], [], [], 0
    for group, its in zip(
        layout.groups, layout.places.split([its.slots for its in layout.groups]), strict=True
    ):
        length = 1 if first_tokens_only else group.length
        shape, start, end = (group.rows, heads, length), end, end + group.rows * heads * length
        shapes.append((group.rows, length))
        places.append(its.view(group.rows, 1, group.length)[:, :, :length])
        has = (
            torch.ones(group.rows, length, dtype=torch.bool)
            if group.token_mask is None
            else group.token_mask[:, :length]
        )
        real.append(has)
        slots.append(torch.arange(start, end).view(shape).transpose(1, 2).reshape(-1, heads))
    own = torch.cat([has.flatten() for has in real]).nonzero().squeeze(1)
    taken = torch.cat([part.flatten() for part in places]).index_select(0, own)
    way_back = torch.full((len(layout.slot_of_place), heads), end)
    way_back.index_copy_(0, taken, torch.cat(slots).index_select(0, own))
    empty = torch.cat([has[:, None].expand(-1, heads, -1).flatten() for has in real]).logical_not()
    return HeadGather(
        heads=heads,
        shapes=shapes,
        empty_slots=None if len(own) * heads == end else empty[:, None],
        _places=torch.cat(
            [(part * heads + torch.arange(heads)[:, None]).flatten() for part in places]
        ),
        _slot_of_place=way_back.flatten(),
    )
