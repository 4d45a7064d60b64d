"""Self-attention within the rows of flat sequences: softmax(QKᵀ·scale) V, of each row for itself.

Queries, keys and values have shape (S, heads, tokens, head_dim): S sequences side by side, one for a single network. The result has
shape (S, tokens, heads, head_dim), as transformers' attention functions return it; at padding tokens it is 0.

On a CPU this is an autograd function of its own: a few batched matrix products for each group of rows. torch has no fused attention
with dropout for CPUs, and autograd over many slices of a tensor copies much. Dropout of the attention weights draws 16 random bits a
weight, a quarter of the time that torch's Bernoulli numbers take; its rate is rounded to 1/65,536, and the scale is that rate's.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from worker.training.layout import Group, Layout

LEVELS = 2**16  # of the random numbers that are compared with dropout's rate
VECTOR_OF_HALVES = 32  # keys; of fewer, torch's backward of a bfloat16 softmax takes one at a time


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
    """In float32 or bfloat16. ``window``: how far a token sees to either side; None sees the whole row."""
    flat = tuple(tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value))  # (places, heads, head_dim)
    if query.device.type == "cpu":
        result: Tensor = _WithinRows.apply(*flat, layout, scale, dropout, window)  # type: ignore[no-untyped-call]
    else:
        result = _fused(flat, layout, scale, dropout, window)
    return result.view(len(layout.lengths), layout.width, *result.shape[1:])


def _fused(flat: Sequence[Tensor], layout: Layout, scale: float, dropout: float, window: int | None) -> Tensor:
    """By torch's own kernels."""
    mixed = []
    for group in layout.groups:
        query, key, value = (_slots(tensor, group).transpose(1, 2) for tensor in flat)
        visible = _visible(group, window, query.device)
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, dropout_p=dropout, scale=scale
        )
        mixed.append(found.transpose(1, 2))
    return _flat(mixed, layout)


def _slots(flat: Tensor, group: Group) -> Tensor:
    """Of shape (rows, length, heads, head_dim)."""
    if group.places is None:
        return flat[None, group.start : group.start + group.length]
    return flat.index_select(0, group.places).view(group.rows, group.length, *flat.shape[1:])


def _flat(by_group: list[Tensor], layout: Layout) -> Tensor:
    """From the groups' slots, each of shape (rows, length, heads, head_dim), back to (places, heads, head_dim)."""
    slots = torch.cat([part.flatten(0, 1) for part in by_group])
    flat = slots if layout.slot_of_place is None else slots.index_select(0, layout.slot_of_place)
    return flat if layout.padding is None else flat.masked_fill(layout.padding[:, None, None], 0.0)


def _visible(group: Group, window: int | None, device: torch.device) -> Tensor | None:
    """Which keys a query sees, of a shape that broadcasts with (rows, heads, length, length); None: all."""
    near = None
    if window is not None and window < group.length - 1:
        slots = torch.arange(group.length, device=device)
        near = (slots[:, None] - slots).abs() <= window
    if group.real is None:
        return near
    real = group.real[:, None, None, :]
    if near is None:
        return real
    # a slot without a token may be far from every token, and a softmax over nothing is no number: it sees itself
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
        dropped = min(round(dropout * LEVELS), LEVELS - 1)
        keeps = _keeps(layout, query.shape[1], dropped, query.dtype)
        keep_scale = LEVELS / (LEVELS - dropped)
        weights, mixed = [], []
        for group, keep in zip(layout.groups, keeps, strict=True):
            queries, keys, values = (_gathered(tensor, group) for tensor in (query, key, value))
            weights.append(_weights(queries, keys, group, scale, window))
            used = weights[-1] if keep is None else weights[-1] * keep
            mixed.append(_by_slot(_product(used, values, keep_scale), group))
        ctx.save_for_backward(query, key, value, *weights, *keeps)
        ctx.layout, ctx.scale, ctx.keep_scale = layout, scale, keep_scale
        return _flat(mixed, layout)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        layout = ctx.layout
        query, key, value, *saved = ctx.saved_tensors
        weights, keeps = saved[: len(layout.groups)], saved[len(layout.groups) :]
        found: tuple[list[Tensor], ...] = ([], [], [])
        for group, weight, keep in zip(layout.groups, weights, keeps, strict=True):
            queries, keys, values, upstream = (_gathered(tensor, group) for tensor in (query, key, value, gradient))
            if group.real is not None:  # what its slot took from another token must not count twice
                upstream.unflatten(0, (group.rows, -1)).mul_(group.real[:, None, :, None])
            used = weight if keep is None else weight * keep
            grad_used = _product(upstream, values.transpose(1, 2), ctx.keep_scale)
            grad_weight = grad_used if keep is None else grad_used.mul_(keep)
            grad_scores = _through_softmax(grad_weight, weight)
            grad_query = _product(grad_scores, keys, ctx.scale)
            grad_key = _product(grad_scores.transpose(1, 2), queries, ctx.scale)
            grad_value = _product(used.transpose(1, 2), upstream, ctx.keep_scale)
            for parts, part in zip(found, (grad_query, grad_key, grad_value), strict=True):
                parts.append(_by_slot(part, group))
        return *(_flat(parts, layout) for parts in found), None, None, None, None


def _gathered(flat: Tensor, group: Group) -> Tensor:
    """Of shape (rows * heads, length, head_dim)."""
    return _slots(flat, group).transpose(1, 2).flatten(0, 1)


def _by_slot(gathered: Tensor, group: Group) -> Tensor:
    """From (rows * heads, length, head_dim) to (rows, length, heads, head_dim)."""
    return gathered.view(group.rows, -1, *gathered.shape[1:]).transpose(1, 2)


def _product(left: Tensor, right: Tensor, scale: float) -> Tensor:
    """scale · left @ right, in one pass."""
    return torch.baddbmm(left.new_empty(()), left, right, beta=0, alpha=scale)


def _weights(queries: Tensor, keys: Tensor, group: Group, scale: float, window: int | None) -> Tensor:
    """How much each query takes of each key, of shape (rows * heads, length, length). The softmax is float32's, as everywhere."""
    scores = _product(queries, keys.transpose(1, 2), scale)
    visible = _visible(group, window, queries.device)
    if visible is not None:
        bias = torch.zeros(visible.shape, dtype=scores.dtype).masked_fill_(~visible, -math.inf)
        scores.unflatten(0, (group.rows, -1)).add_(bias)
    return scores.softmax(-1, dtype=torch.float32).to(scores.dtype)


def _through_softmax(gradient: Tensor, weight: Tensor) -> Tensor:
    if weight.dtype is torch.float32 or weight.shape[-1] >= VECTOR_OF_HALVES:
        return torch._softmax_backward_data(gradient, weight, -1, weight.dtype)
    found = torch._softmax_backward_data(gradient.float(), weight.float(), -1, torch.float32)
    return found.to(weight.dtype)


def _keeps(layout: Layout, heads: int, dropped: int, dtype: torch.dtype) -> list[Tensor] | list[None]:
    """By group, of its weights' shape: 0 where dropout drops a weight, with probability ``dropped / LEVELS``, and 1 elsewhere."""
    if not dropped:
        return [None] * len(layout.groups)
    cells = [group.rows * heads * group.length**2 for group in layout.groups]
    bits = torch.empty(math.ceil(sum(cells) / 4), dtype=torch.int64).random_(-(2**63), None)
    levels = bits.view(torch.int16)[: sum(cells)]
    # into floating point at once: products of unlike types, and comparisons into booleans, take several times as long
    keeps = torch.ge(levels, dropped - LEVELS // 2, out=torch.empty(sum(cells), dtype=dtype))
    parts = zip(keeps.split(cells), layout.groups, strict=True)
    return [part.view(-1, group.length, group.length) for part, group in parts]
