"""Attention within rows on a CPU: an autograd function of a few batched products per group of rows.

torch has no fused attention with dropout for CPUs, and autograd over many slices of a tensor
copies a lot. Dropout of the attention weights follows ``model/dropout.py``.
"""

import math
from collections.abc import Iterator
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from worker.training.model.dropout import DropoutRate
from worker.training.packed.attention_masks import get_mask_biases
from worker.training.packed.head_gather import HeadGather, get_head_gather
from worker.training.packed.packed_layout import PackedLayout

MIN_BFLOAT16_SOFTMAX_KEYS = 32
"""With fewer keys, torch's backward of a bfloat16 softmax falls back to a scalar loop."""


class _AttentionContext(FunctionCtx):
    """Values that the forward pass keeps for the backward pass."""

    query_gather: HeadGather
    key_gather: HeadGather
    scale: float
    keep_scale: float
    saved_tensors: tuple[Tensor, ...]
    """Queries, keys, values, the weights of each group and, with dropout, their keep masks."""


class _GroupTensors(NamedTuple):
    """Queries, keys and values of one group, or their gradients."""

    queries: Tensor
    keys: Tensor
    values: Tensor


class RowAttention(torch.autograd.Function):
    """Attention within rows; queries, keys and values have shape (places, heads, head_dim)."""

    @staticmethod
    def forward(
        ctx: _AttentionContext,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: PackedLayout,
        scale: float,
        rate: DropoutRate,
        window: int | None,
    ) -> Tensor:
        heads = query.shape[1]
        key_gather = get_head_gather(layout, heads)
        query_gather = get_head_gather(layout, heads, first_tokens_only=layout.first_queries_only)
        queries = query_gather.gather_heads(query)
        keys, values = key_gather.gather_heads(key), key_gather.gather_heads(value)
        mixed = query_gather.allocate_slots(values)
        keep_masks = _draw_keep_masks(query_gather, key_gather, rate, query.dtype)
        weights = []
        for group, group_mixed, bias, keep_mask in zip(
            _iterate_group_tensors(query_gather, key_gather, queries, keys, values),
            query_gather.iterate_groups(mixed),
            get_mask_biases(layout, window, query.dtype),
            keep_masks or repeat(None, len(layout.groups)),
            strict=True,
        ):
            weight = _compute_attention_weights(group, scale, bias, heads)
            kept = weight if keep_mask is None else weight * keep_mask
            _multiply_scaled(kept, group.values, rate.keep_scale, out=group_mixed)
            weights.append(weight)
        ctx.query_gather, ctx.key_gather = query_gather, key_gather
        ctx.scale, ctx.keep_scale = scale, rate.keep_scale
        ctx.save_for_backward(queries, keys, values, *weights, *keep_masks)
        return query_gather.gather_back(mixed)

    @staticmethod
    @once_differentiable
    def backward(ctx: _AttentionContext, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query_gather, key_gather = ctx.query_gather, ctx.key_gather
        groups = len(key_gather.shapes)
        queries, keys, values, *saved = ctx.saved_tensors
        weights, keep_masks = saved[:groups], saved[groups:]
        upstream = query_gather.gather_heads(gradient)
        if query_gather.empty_slots is not None:
            # an empty slot holds a copy of another token, whose gradient must not count twice
            upstream.masked_fill_(query_gather.empty_slots, 0.0)
        query_grad = query_gather.allocate_slots(queries)
        key_grad = key_gather.allocate_slots(keys)
        value_grad = key_gather.allocate_slots(values)
        for weight, keep_mask, group_upstream, group, group_grads in zip(
            weights,
            keep_masks or repeat(None, groups),
            query_gather.iterate_groups(upstream),
            _iterate_group_tensors(query_gather, key_gather, queries, keys, values),
            _iterate_group_tensors(query_gather, key_gather, query_grad, key_grad, value_grad),
            strict=True,
        ):
            _backpropagate_group(ctx, weight, keep_mask, group_upstream, group, group_grads)
        return (
            query_gather.gather_back(query_grad),
            key_gather.gather_back(key_grad),
            key_gather.gather_back(value_grad),
            *[None] * 4,
        )


def _iterate_group_tensors(
    query_gather: HeadGather, key_gather: HeadGather, queries: Tensor, keys: Tensor, values: Tensor
) -> Iterator[_GroupTensors]:
    return map(
        _GroupTensors,
        query_gather.iterate_groups(queries),
        key_gather.iterate_groups(keys),
        key_gather.iterate_groups(values),
    )


def _compute_attention_weights(
    group: _GroupTensors, scale: float, bias: Tensor | None, heads: int
) -> Tensor:
    """Return softmax(QKᵀ·scale + bias), before dropout."""
    scores = _multiply_scaled(group.queries, group.keys.transpose(1, 2), scale)
    if bias is not None:
        scores.unflatten(0, (-1, heads)).add_(bias)
    # the softmax is computed in float32 whatever the precision of the pass
    return scores.softmax(-1, dtype=torch.float32).to(scores.dtype)


def _backpropagate_group(
    ctx: _AttentionContext,
    weight: Tensor,
    keep_mask: Tensor | None,
    upstream: Tensor,
    group: _GroupTensors,
    gradients: _GroupTensors,
) -> None:
    """Write the gradients of one group's queries, keys and values into ``gradients``."""
    kept = weight if keep_mask is None else weight * keep_mask
    kept_grad = _multiply_scaled(upstream, group.values.transpose(1, 2), ctx.keep_scale)
    weight_grad = kept_grad if keep_mask is None else kept_grad.mul_(keep_mask)
    score_grad = _backpropagate_softmax(weight_grad, weight)
    _multiply_scaled(score_grad, group.keys, ctx.scale, out=gradients.queries)
    _multiply_scaled(score_grad.transpose(1, 2), group.queries, ctx.scale, out=gradients.keys)
    _multiply_scaled(kept.transpose(1, 2), upstream, ctx.keep_scale, out=gradients.values)


def _multiply_scaled(
    left: Tensor, right: Tensor, scale: float, out: Tensor | None = None
) -> Tensor:
    """Return scale · left @ right, computed in one pass."""
    return torch.baddbmm(left.new_empty(()), left, right, beta=0, alpha=scale, out=out)


def _backpropagate_softmax(gradient: Tensor, weight: Tensor) -> Tensor:
    if weight.dtype is torch.float32 or weight.shape[-1] >= MIN_BFLOAT16_SOFTMAX_KEYS:
        return torch._softmax_backward_data(gradient, weight, -1, weight.dtype)
    result = torch._softmax_backward_data(gradient.float(), weight.float(), -1, torch.float32)
    return result.to(weight.dtype)


def _draw_keep_masks(
    queries: HeadGather, keys: HeadGather, rate: DropoutRate, dtype: torch.dtype
) -> list[Tensor]:
    """Draw each group's dropout mask over its weights: 0 drops a weight, 1 keeps it.

    Return an empty list if nothing is dropped.
    """
    if not rate.dropped_levels:
        return []
    shapes = [
        (rows * keys.heads, query_slots, key_slots)
        for (rows, query_slots), (_, key_slots) in zip(queries.shapes, keys.shapes, strict=True)
    ]
    sizes = [math.prod(shape) for shape in shapes]
    masks = rate.draw_keep_mask(sum(sizes), dtype).split(sizes)
    return [mask.view(shape) for mask, shape in zip(masks, shapes, strict=True)]
