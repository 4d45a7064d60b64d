"""Means over the tokens of each row of a packed batch."""

import torch
from torch import Tensor

from worker.training.packed.packed_layout import PackedLayout
from worker.training.packed.row_tokens import get_row_starts_and_lengths


def average_tokens_by_row(states: Tensor, layout: PackedLayout) -> Tensor:
    """Reduce states (S, tokens, width) to each row's mean: (S, rows, width), in the batch's order.

    One matrix product adds up the tokens of all rows, because a kernel per row would leave a GPU
    waiting. Its terms are ones and zeros, so no weight is rounded.
    """
    membership, lengths = layout.get_cached("row means", lambda: _build_membership(layout))
    sums = torch.bmm(membership.to(states.dtype), states)
    return (sums.float() / lengths).to(states.dtype)


def _build_membership(layout: PackedLayout) -> tuple[Tensor, Tensor]:
    """Return which tokens each row has, of shape (S, rows, tokens), and the row lengths."""
    device = layout.first_tokens.device
    first_tokens, lengths = (one[..., None] for one in get_row_starts_and_lengths(layout))
    offsets = torch.arange(len(layout.lengths), device=device)[:, None, None] * layout.width
    starts = first_tokens - offsets
    tokens = torch.arange(layout.width, device=device)
    return ((starts <= tokens) & (tokens < starts + lengths)).float(), lengths
