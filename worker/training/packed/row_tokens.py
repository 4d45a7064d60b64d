"""The tokens of each row of a packed batch, as a padded tensor."""

import torch
from torch import Tensor

from worker.training.packed.packed_layout import SLOT_MULTIPLE, PackedLayout


def gather_tokens_by_row(states: Tensor, layout: PackedLayout) -> tuple[Tensor, Tensor]:
    """Unpack states (S, tokens, width) to (S, rows, length, width), in the batch's order.

    Also returns which of them are tokens, of shape (S, rows, length): rows are right-padded to the
    longest of all sequences, or a little more, so that few sizes occur.
    """
    places, mask = layout.get_cached("row tokens", lambda: _list_places(layout))
    tokens = states.flatten(0, 1).index_select(0, places.flatten())
    return tokens.view(*places.shape, states.shape[-1]), mask


def get_row_starts_and_lengths(layout: PackedLayout) -> tuple[Tensor, Tensor]:
    """Return the places of the rows' first tokens and the rows' lengths, both (S, rows)."""
    lengths = torch.tensor(layout.lengths, device=layout.first_tokens.device)
    # lengths are in the order in which rows are packed, first tokens in that of the batch
    ranks = layout.first_tokens.argsort(dim=1).argsort(dim=1)
    return layout.first_tokens, lengths.gather(1, ranks)


def _list_places(layout: PackedLayout) -> tuple[Tensor, Tensor]:
    """Return the place of each token of each row, and the mask; padding has the first token's."""
    starts, lengths = get_row_starts_and_lengths(layout)
    longest = max(max(lengths) for lengths in layout.lengths)
    offsets = torch.arange(-(-longest // SLOT_MULTIPLE) * SLOT_MULTIPLE, device=starts.device)
    mask = offsets < lengths[..., None]
    return starts[..., None] + offsets * mask, mask
