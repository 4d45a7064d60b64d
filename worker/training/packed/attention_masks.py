"""Masks that keep attention within a row and within a family's local window."""

import math

import torch
from torch import Tensor

from worker.training.packed.packed_layout import PackedLayout, RowGroup


def build_visibility_mask(
    group: RowGroup, window: int | None, layout: PackedLayout
) -> Tensor | None:
    """Return which keys each query sees, or None if it sees all of them.

    The mask broadcasts with (rows, heads, queries, length).
    """
    near = _build_window_mask(group, window, layout)
    if group.token_mask is None:
        return near
    real = group.token_mask[:, None, None, :]
    if near is None:
        return real
    # an empty slot may be further than the window from every token, and a softmax over nothing is
    # NaN: let it see itself
    return (real & near) | torch.eye(*near.shape, dtype=torch.bool, device=near.device)


def _build_window_mask(group: RowGroup, window: int | None, layout: PackedLayout) -> Tensor | None:
    """Return which keys are within each query's window, or None if all are."""
    if window is None or window >= group.length - 1:
        return None
    slots = torch.arange(group.length, device=layout.places.device)
    near = (slots[:, None] - slots).abs() <= window
    return near[:1] if layout.first_queries_only else near


def get_mask_biases(
    layout: PackedLayout, window: int | None, dtype: torch.dtype
) -> list[Tensor | None]:
    """Return what to add to each group's scores to hide invisible keys; None adds nothing."""

    def build_biases() -> list[Tensor | None]:
        masks = [build_visibility_mask(group, window, layout) for group in layout.groups]
        return [
            None
            if mask is None
            else torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, -math.inf)
            for mask in masks
        ]

    return layout.get_cached(("biases", layout.first_queries_only, window, dtype), build_biases)
