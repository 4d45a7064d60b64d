"""Self-attention within the rows of flat sequences: softmax(QKᵀ·scale) V, of each row for
itself.

Queries, keys and values have shape (S, heads, tokens, head_dim): S sequences side by side, one
for a single network. The result has shape (S, tokens, heads, head_dim), as transformers'
attention functions return it; at padding tokens it is 0. Where a layout says
``first_queries_only``, only the rows' first tokens look, and it is 0 at all others.

On a CPU this is an autograd function of its own: a few batched matrix products for each group
of rows. torch has no fused attention with dropout for CPUs, and autograd over many slices of a
tensor copies much. Dropout of the attention weights is that of ``dropout.py``.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from worker.training.model.dropout import DropoutRate
from worker.training.packed.head_gather import HeadGather, get_head_gather
from worker.training.packed.packed_layout import PackedLayout, RowGroup

MIN_BFLOAT16_SOFTMAX_KEYS = (
    32  # keys; of fewer, torch's backward of a bfloat16 softmax takes one at a time
)


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
    """In float32 or bfloat16. ``window``: how far a token sees to either side; None sees the
    whole row.
    """
    flat = tuple(
        tensor.transpose(1, 2).flatten(0, 1) for tensor in (query, key, value)
    )  # (places, heads, head_dim)
    if query.device.type == "cpu":
        result: Tensor = _RowAttention.apply(
            *flat, layout, scale, DropoutRate.from_probability(dropout), window
        )  # type: ignore[no-untyped-call]
    else:
        result = _compute_fused_attention(flat, layout, scale, dropout, window)
    return result.view(len(layout.lengths), layout.width, *result.shape[1:])


def _compute_fused_attention(
    flat: Sequence[Tensor], layout: PackedLayout, scale: float, dropout: float, window: int | None
) -> Tensor:
    """By torch's own kernels, of all rows together."""
    [group] = layout.groups
    slots = layout.places.view(group.rows, group.length)
    seeing = slots[:, :1] if layout.first_queries_only else slots
    query, key, value = (
        tensor.index_select(0, its.flatten()).unflatten(0, its.shape).transpose(1, 2)
        for tensor, its in zip(flat, (seeing, slots, slots), strict=True)
    )
    visible = _build_visibility_mask(group, window, layout)
    found = functional.scaled_dot_product_attention(
        query, key, value, attn_mask=visible, dropout_p=dropout, scale=scale
    )
    mixed = found.transpose(1, 2).flatten(0, 1)
    if layout.first_queries_only:
        narrow: Tensor = torch.zeros_like(flat[2]).index_copy(0, seeing.flatten(), mixed)
        return narrow
    mixed = mixed.index_select(0, layout.slot_of_place)
    return (
        mixed
        if layout.padding_mask is None
        else mixed.masked_fill(layout.padding_mask[:, None, None], 0.0)
    )


def _build_visibility_mask(
    group: RowGroup, window: int | None, layout: PackedLayout
) -> Tensor | None:
    """Which keys a query sees, of a shape that broadcasts with (rows, heads, queries, length);
    None: all.
    """
    near = None
    if window is not None and window < group.length - 1:
        slots = torch.arange(group.length, device=layout.places.device)
        near = ((slots[:, None] - slots).abs() <= window)[
            : 1 if layout.first_queries_only else None
        ]
    if group.token_mask is None:
        return near
    real = group.token_mask[:, None, None, :]
    if near is None:
        return real
    # a slot without a token may be far from every token, and a softmax over nothing is no
    # number: it sees itself
    return (real & near) | torch.eye(*near.shape, dtype=torch.bool, device=near.device)


class _RowAttention(torch.autograd.Function):
    """Of queries, keys and values of shape (places, heads, head_dim)."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        layout: PackedLayout,
        scale: float,
        rate: DropoutRate,
        window: int | None,
    ) -> Tensor:
        ctx.slots = get_head_gather(layout, query.shape[1])
        ctx.of_queries = of_queries = get_head_gather(
            layout, query.shape[1], first_tokens_only=layout.first_queries_only
        )
        ctx.scale, ctx.keep_scale = scale, rate.keep_scale
        queries, keys, values = (
            of_queries.gather_heads(query),
            ctx.slots.gather_heads(key),
            ctx.slots.gather_heads(value),
        )
        mixed = of_queries.allocate_slots(values)
        biases = _get_mask_biases(layout, window, query.dtype)
        keeps = _draw_keep_masks(of_queries, ctx.slots, rate, query.dtype)
        weights = []
        for its_queries, its_keys, its_values, its_mixed, bias, keep in zip(
            of_queries.iterate_groups(queries),
            ctx.slots.iterate_groups(keys),
            ctx.slots.iterate_groups(values),
            of_queries.iterate_groups(mixed),
            biases,
            keeps,
            strict=True,
        ):
            scores = _multiply_scaled(its_queries, its_keys.transpose(1, 2), scale)
            if bias is not None:
                scores.unflatten(0, (-1, ctx.slots.heads)).add_(bias)
            # the softmax is float32's, as everywhere
            weights.append(scores.softmax(-1, dtype=torch.float32).to(scores.dtype))
            used = weights[-1] if keep is None else weights[-1] * keep
            _multiply_scaled(used, its_values, rate.keep_scale, out=its_mixed)
        ctx.save_for_backward(queries, keys, values, *weights, *keeps)
        return of_queries.gather_back(mixed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        queries, keys, values, *saved = ctx.saved_tensors
        weights, keeps = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        upstream = ctx.of_queries.gather_heads(gradient)
        if (
            ctx.of_queries.empty_slots is not None
        ):  # what a slot took from another token must not count twice
            upstream.masked_fill_(ctx.of_queries.empty_slots, 0.0)
        sides = (ctx.of_queries, ctx.slots, ctx.slots)
        found = tuple(
            side.allocate_slots(its)
            for side, its in zip(sides, (queries, keys, values), strict=True)
        )
        given = zip(
            *(
                side.iterate_groups(its)
                for side, its in zip(sides, (queries, keys, values), strict=True)
            ),
            strict=True,
        )
        wanted = zip(
            *(side.iterate_groups(its) for side, its in zip(sides, found, strict=True)), strict=True
        )
        for weight, keep, up, (its_queries, its_keys, its_values), (
            grad_queries,
            grad_keys,
            grad_values,
        ) in zip(
            weights, keeps, ctx.of_queries.iterate_groups(upstream), given, wanted, strict=True
        ):
            used = weight if keep is None else weight * keep
            grad_used = _multiply_scaled(up, its_values.transpose(1, 2), ctx.keep_scale)
            grad_scores = _backpropagate_softmax(
                grad_used if keep is None else grad_used.mul_(keep), weight
            )
            _multiply_scaled(grad_scores, its_keys, ctx.scale, out=grad_queries)
            _multiply_scaled(grad_scores.transpose(1, 2), its_queries, ctx.scale, out=grad_keys)
            _multiply_scaled(used.transpose(1, 2), up, ctx.keep_scale, out=grad_values)
        return (
            *(side.gather_back(its) for side, its in zip(sides, found, strict=True)),
            None,
            None,
            None,
            None,
        )


def _multiply_scaled(
    left: Tensor, right: Tensor, scale: float, out: Tensor | None = None
) -> Tensor:
    """scale · left @ right, in one pass."""
    return torch.baddbmm(left.new_empty(()), left, right, beta=0, alpha=scale, out=out)


def _get_mask_biases(
    layout: PackedLayout, window: int | None, dtype: torch.dtype
) -> list[Tensor | None]:
    """By group, what is added to the scores so that no query sees what it must not; None:
    nothing.
    """
    key = ("biases", layout.first_queries_only, window, dtype)
    if key not in layout.cache:
        seen = [_build_visibility_mask(group, window, layout) for group in layout.groups]
        layout.cache[key] = [
            None
            if its is None
            else torch.zeros(its.shape, dtype=dtype).masked_fill_(~its, -math.inf)
            for its in seen
        ]
    found: list[Tensor | None] = layout.cache[key]
    return found


def _backpropagate_softmax(gradient: Tensor, weight: Tensor) -> Tensor:
    if weight.dtype is torch.float32 or weight.shape[-1] >= MIN_BFLOAT16_SOFTMAX_KEYS:
        return torch._softmax_backward_data(gradient, weight, -1, weight.dtype)
    found = torch._softmax_backward_data(gradient.float(), weight.float(), -1, torch.float32)
    return found.to(weight.dtype)


def _draw_keep_masks(
    queries: HeadGather, keys: HeadGather, rate: DropoutRate, dtype: torch.dtype
) -> list[Tensor] | list[None]:
    """By group, of its weights' shape: 0 where dropout drops a weight, else 1."""
    if not rate.dropped_levels:
        return [None] * len(keys.shapes)
    shapes = [
        (rows * keys.heads, seeing, seen)
        for (rows, seeing), (_, seen) in zip(queries.shapes, keys.shapes, strict=True)
    ]
    sizes = [math.prod(shape) for shape in shapes]
    drawn = rate.draw_keep_mask(sum(sizes), dtype).split(sizes)
    return [part.view(shape) for part, shape in zip(drawn, shapes, strict=True)]
