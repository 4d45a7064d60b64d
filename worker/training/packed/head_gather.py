"""Reordering of a packed batch's tokens by head, as batched matrix products need them.

One gather brings the tokens of all groups into slots, one gather brings the results back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.packed.packed_layout import PackedLayout, RowGroup


@dataclass(frozen=True)
class HeadGather:
    """The slots of every head: those of all tokens, or of the first token of each row.

    Slots are in the order of group, row, head, token. One extra slot of zeros follows them.
    """

    heads: int
    shapes: Sequence[tuple[int, int]]
    """Per group: its rows and the slots used of each row."""
    empty_slots: Tensor | None
    """Of shape (slots * heads, 1), bool: slots without a token. None if every slot has one."""
    _places: Tensor
    """Of shape (slots * heads,): place * heads + head."""
    _slot_of_place: Tensor
    """Of shape (places * heads,): the slot of each place and head, or the extra slot."""

    def gather_heads(self, flat: Tensor) -> Tensor:
        """Gather (places, heads, head_dim) into (slots * heads, head_dim)."""
        return flat.flatten(0, 1).index_select(0, self._places)

    def allocate_slots(self, like: Tensor) -> Tensor:
        """Allocate slots to fill, of shape (slots * heads + 1, head_dim)."""
        slots = like.new_empty(len(self._places) + 1, like.shape[-1])
        slots[-1].zero_()
        return slots

    def iterate_groups(self, slots: Tensor) -> Iterator[Tensor]:
        """Iterate over the groups as views of shape (rows * heads, slots of a row, head_dim)."""
        groups = slots[: len(self._places)].split(
            [rows * self.heads * length for rows, length in self.shapes]
        )
        return (
            group.view(-1, length, group.shape[1])
            for group, (_, length) in zip(groups, self.shapes, strict=True)
        )

    def gather_back(self, slots: Tensor) -> Tensor:
        """Gather (slots * heads + 1, head_dim) into (places, heads, head_dim).

        Places without a slot get 0.
        """
        return slots.index_select(0, self._slot_of_place).view(-1, self.heads, slots.shape[1])


def get_head_gather(
    layout: PackedLayout, heads: int, *, first_tokens_only: bool = False
) -> HeadGather:
    """Return the layout's gather, built once and cached in the layout."""
    return layout.get_cached(
        ("head gather", heads, first_tokens_only),
        lambda: _build_head_gather(layout, heads, first_tokens_only),
    )


def _build_head_gather(layout: PackedLayout, heads: int, first_tokens_only: bool) -> HeadGather:
    shapes: list[tuple[int, int]] = []
    places, token_masks, slots, end = [], [], [], 0
    group_places = layout.places.split([group.slots for group in layout.groups])
    for group, places_of_group in zip(layout.groups, group_places, strict=True):
        length = 1 if first_tokens_only else group.length
        start, end = end, end + group.rows * heads * length
        shapes.append((group.rows, length))
        places.append(places_of_group.view(group.rows, 1, group.length)[:, :, :length])
        token_masks.append(_get_token_mask(group, length))
        by_head = torch.arange(start, end).view(group.rows, heads, length)
        slots.append(by_head.transpose(1, 2).reshape(-1, heads))
    filled = torch.cat([mask.flatten() for mask in token_masks]).nonzero().squeeze(1)
    taken = torch.cat([part.flatten() for part in places]).index_select(0, filled)
    slot_of_place = torch.full((len(layout.slot_of_place), heads), end)
    slot_of_place.index_copy_(0, taken, torch.cat(slots).index_select(0, filled))
    has_token = torch.cat([mask[:, None].expand(-1, heads, -1).flatten() for mask in token_masks])
    return HeadGather(
        heads=heads,
        shapes=shapes,
        empty_slots=None if len(filled) * heads == end else has_token.logical_not()[:, None],
        _places=torch.cat(
            [(part * heads + torch.arange(heads)[:, None]).flatten() for part in places]
        ),
        _slot_of_place=slot_of_place.flatten(),
    )


def _get_token_mask(group: RowGroup, length: int) -> Tensor:
    if group.token_mask is None:
        return torch.ones(group.rows, length, dtype=torch.bool)
    return group.token_mask[:, :length]
