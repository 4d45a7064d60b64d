"""Self-attention within the rows of flat sequences: softmax(QKᵀ·scale) V, a row for itself, nothing computed for padding between rows.

Queries, keys and values have shape (S, heads, tokens, head_dim): S sequences side by side, one for a single network. The result has
shape (S, tokens, heads, head_dim), as transformers' attention functions return it; at padding tokens it is 0.

On a CPU this is an autograd function of its own around a few batched matrix products a group of rows. torch's
``scaled_dot_product_attention`` takes about as long without dropout and three times as long with it, since it has no fused kernel with
dropout for CPUs, and splitting a sequence into its rows under autograd costs a copy of the gradient. Dropout of the weights is drawn
16 random bits an element, four times as fast as torch's Bernoulli numbers: its rate is exact to 1/65,536 and its scale is that rate's.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from worker.training.layout import Group, Layout

LEVELS = 2**16  # of the random numbers that dropout compares with its rate


def attention_within_rows(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    *,
    scale: float,
    dropout: float = 0.0,
    window: int | None = None,
) -> Tensor:
    """``window``: how far a token sees to either side, itself not counted; None sees the whole row. float32 and bfloat16."""
    flat = [tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value)]  # (places, heads, head_dim)
    if query.device.type == "cpu":
        result: Tensor = _WithinRows.apply(*flat, layout, scale, dropout, window)
    else:
        result = _fused(flat, layout, scale, dropout, window)
    return result.view(len(layout.lengths), layout.width, *result.shape[1:])


def _fused(flat: list[Tensor], layout: Layout, scale: float, dropout: float, window: int | None) -> Tensor:
    """By torch's own kernels, group by group."""
    result = torch.zeros_like(flat[0])
    for group in layout.groups:
        query, key, value = (_padded(tensor, group).transpose(1, 2) for tensor in flat)
        mask = _visible(group, window, query.device)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale
        )
        result = _returned(result, mixed.transpose(1, 2), group)
    return result


def _padded(flat: Tensor, group: Group) -> Tensor:
    """Of shape (rows, length, heads, head_dim), 0 where there is no token."""
    if group.slots is None or group.tokens is None:
        return flat[None, group.start : group.start + group.length]
    slots = flat.new_zeros(group.rows * group.length, *flat.shape[1:])
    return slots.index_copy(0, group.slots, flat.index_select(0, group.tokens)).unflatten(0, (group.rows, -1))


def _returned(flat: Tensor, padded: Tensor, group: Group) -> Tensor:
    """``flat`` with the group's tokens at their places."""
    if group.slots is None or group.tokens is None:
        places = torch.arange(group.start, group.start + group.length, device=flat.device)
        return flat.index_copy(0, places, padded[0])
    return flat.index_copy(0, group.tokens, padded.flatten(0, 1).index_select(0, group.slots))


def _visible(group: Group, window: int | None, device: torch.device) -> Tensor | None:
    """Which keys a query sees, of a shape that broadcasts with (rows, heads, length, length); None: all."""
    near = None
    if window is not None and window < group.length - 1:
        places = torch.arange(group.length, device=device)
        near = (places[:, None] - places).abs() <= window
    if group.real is None:
        return near
    real = group.real[:, None, None, :]
    if near is None:
        return real
    # a slot without a token may see no key at all, and its softmax would be no number; it sees itself
    return (real & near) | torch.eye(group.length, dtype=torch.bool, device=device)


class _WithinRows(torch.autograd.Function):
    """Of queries, keys and values of shape (places, heads, head_dim)."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: Layout,
        scale: float,
        dropout: float,
        window: int | None,
    ) -> Tensor:
        result = _blank(query, layout)
        dropped = min(round(dropout * LEVELS), LEVELS - 1)
        keep_scale = LEVELS / (LEVELS - dropped)
        kept = _kept(layout, query.shape[1], dropped, query.device) if dropped else None
        weights = []
        for group, keep in zip(layout.groups, _by_group(kept, layout, query.shape[1]), strict=True):
            queries, keys, values = (_gathered(tensor, group) for tensor in (query, key, value))
            probabilities = _probabilities(queries, keys, group, scale, window)
            used = probabilities if keep is None else probabilities * keep
            _scatter(result, _product(used, values, keep_scale), group)
            weights.append(probabilities)
        ctx.save_for_backward(query, key, value, kept, *weights)
        ctx.layout, ctx.scale, ctx.keep_scale = layout, scale, keep_scale
        return result

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, kept, *weights = ctx.saved_tensors
        layout = ctx.layout
        grad_query, grad_key, grad_value = (_blank(tensor, layout) for tensor in (query, key, value))
        keeps = _by_group(kept, layout, query.shape[1])
        for group, probabilities, keep in zip(layout.groups, weights, keeps, strict=True):
            queries, keys, values, upstream = (_gathered(tensor, group) for tensor in (query, key, value, gradient))
            used = probabilities if keep is None else probabilities * keep
            _scatter(grad_value, _product(used.transpose(1, 2), upstream, ctx.keep_scale), group)
            grad_used = _product(upstream, values.transpose(1, 2), ctx.keep_scale)
            if keep is not None:
                grad_used *= keep
            grad_scores = torch._softmax_backward_data(grad_used, probabilities, -1, query.dtype)
            _scatter(grad_query, _product(grad_scores, keys, ctx.scale), group)
            _scatter(grad_key, _product(grad_scores.transpose(1, 2), queries, ctx.scale), group)
        return grad_query, grad_key, grad_value, None, None, None, None


def _blank(flat: Tensor, layout: Layout) -> Tensor:
    """To be filled at every row's places; 0 at the padding tokens'."""
    shape = flat.shape  # not the strides of ``flat``, which may be a part of a larger tensor
    return flat.new_zeros(shape) if layout.is_padded else flat.new_empty(shape)


def _gathered(flat: Tensor, group: Group) -> Tensor:
    """Of shape (rows * heads, length, head_dim)."""
    return _padded(flat, group).transpose(1, 2).flatten(0, 1)


def _scatter(flat: Tensor, gathered: Tensor, group: Group) -> None:
    """Write ``gathered``, of shape (rows * heads, length, head_dim), to the places of the group's tokens."""
    by_slot = gathered.unflatten(0, (group.rows, -1)).transpose(1, 2)
    if group.slots is None or group.tokens is None:
        flat[group.start : group.start + group.length] = by_slot[0]
    else:
        flat.index_copy_(0, group.tokens, by_slot.flatten(0, 1).index_select(0, group.slots))


def _product(left: Tensor, right: Tensor, scale: float) -> Tensor:
    """scale · left @ right, in one pass."""
    return torch.baddbmm(left.new_empty(()), left, right, beta=0, alpha=scale)


def _probabilities(queries: Tensor, keys: Tensor, group: Group, scale: float, window: int | None) -> Tensor:
    """Of shape (rows * heads, length, length): how much each query takes of each key."""
    scores = _product(queries, keys.transpose(1, 2), scale)
    visible = _visible(group, window, queries.device)
    if visible is not None:
        bias = torch.zeros(visible.shape, dtype=scores.dtype).masked_fill_(~visible, -math.inf)
        scores.unflatten(0, (group.rows, -1)).add_(bias)
    return scores.softmax(-1)


def _cells(layout: Layout, heads: int) -> list[int]:
    return [group.rows * heads * group.length**2 for group in layout.groups]


def _kept(layout: Layout, heads: int, dropped: int, device: torch.device) -> Tensor:
    """For every cell of every group, whether dropout leaves it: each is dropped with probability ``dropped / LEVELS``."""
    cells = sum(_cells(layout, heads))
    bits = torch.empty(math.ceil(cells / 4), dtype=torch.int64, device=device).random_(-(2**63), None)
    return bits.view(torch.int16)[:cells] >= dropped - LEVELS // 2


def _by_group(kept: Tensor | None, layout: Layout, heads: int) -> list[Tensor] | list[None]:
    if kept is None:
        return [None] * len(layout.groups)
    parts = kept.split(_cells(layout, heads))
    return [part.view(-1, group.length, group.length) for part, group in zip(parts, layout.groups, strict=True)]
