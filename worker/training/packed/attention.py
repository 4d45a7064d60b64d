"""Self-attention within the rows of a packed batch: softmax(QKᵀ·scale) V, separately per row.

Queries, keys and values have shape (S, heads, tokens, head_dim), with S packed sequences side
by side (S = 1 for a single network). The result has shape (S, tokens, heads, head_dim), as
transformers' attention functions return it, and is 0 at padding tokens. With a layout's
``first_queries_only``, only the first token of each row attends, and the result is 0 elsewhere.

CPUs use ``cpu_attention.py``, other devices torch's fused kernels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from worker.training.model.dropout import DropoutRate
from worker.training.packed.attention_masks import build_visibility_mask
from worker.training.packed.cpu_attention import RowAttention
from worker.training.packed.packed_layout import PackedLayout


def compute_row_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: PackedLayout,
    *,
    scale: float,
    dropout: float = 0.0,
    window: int | None = None,
) -> Tensor:
    """Return the attention of every row, in float32 or bfloat16.

    ``window`` is the number of tokens visible on either side; None means the whole row.
    """
    # from (S, heads, tokens, head_dim) to (places, heads, head_dim)
    flat = tuple(tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value))
    if query.device.type == "cpu":
        rate = DropoutRate.from_probability(dropout)
        result: Tensor = RowAttention.apply(*flat, layout, scale, rate, window)  # type: ignore[no-untyped-call]
    else:
        result = _compute_fused_attention(flat, layout, scale, dropout, window)
    return result.view(len(layout.lengths), layout.width, *result.shape[1:])


def _compute_fused_attention(
    flat: Sequence[Tensor], layout: PackedLayout, scale: float, dropout: float, window: int | None
) -> Tensor:
    """Attend over all rows at once with torch's fused kernels."""
    [group] = layout.groups
    key_slots = layout.places.view(group.rows, group.length)
    query_slots = key_slots[:, :1] if layout.first_queries_only else key_slots
    query, key, value = (
        tensor.index_select(0, slots.flatten()).unflatten(0, slots.shape).transpose(1, 2)
        for tensor, slots in zip(flat, (query_slots, key_slots, key_slots), strict=True)
    )
    attended = functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=build_visibility_mask(group, window, layout),
        dropout_p=dropout,
        scale=scale,
    )
    mixed = attended.transpose(1, 2).flatten(0, 1)
    if layout.first_queries_only:
        first: Tensor = torch.zeros_like(flat[2]).index_copy(0, query_slots.flatten(), mixed)
        return first
    return _return_to_places(mixed, layout)


def _return_to_places(mixed: Tensor, layout: PackedLayout) -> Tensor:
    """Reorder results from slots to places, with 0 at padding."""
    mixed = mixed.index_select(0, layout.slot_of_place)
    if layout.padding_mask is None:
        return mixed
    return mixed.masked_fill(layout.padding_mask[:, None, None], 0.0)
