"""Provisional: attention within rows, each padded to the longest."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface

NAME = "evenkeel_stacked"


class RowLayout:
    """Where the rows of each seed lie on its flat line of tokens."""

    def __init__(self, lengths: list[list[int]], device: torch.device) -> None:
        self.tokens = max(sum(of_seed) for of_seed in lengths)
        of_rows = torch.tensor(lengths)
        starts = of_rows.cumsum(1) - of_rows
        longest = int(of_rows.max())
        steps = torch.arange(longest)
        self.mask = (steps < of_rows[..., None]).to(device)
        self.places = (starts[..., None] + steps).clamp(max=self.tokens - 1).to(device)
        self.starts = starts.to(device)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: RowLayout,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    count, heads, tokens, width = query.shape
    rows, longest = layout.places.shape[1:]
    places = layout.places.flatten(1)
    index = places[:, None, :, None].expand(count, heads, rows * longest, width)

    def of_rows(states: Tensor) -> Tensor:
        return states.gather(2, index).view(count, heads, rows, longest, width).transpose(1, 2).flatten(0, 1)

    found = functional.scaled_dot_product_attention(
        of_rows(query), of_rows(key), of_rows(value),
        attn_mask=layout.mask.flatten(0, 1)[:, None, None, :], dropout_p=dropout, scale=scaling,
    )
    found = found.view(count, rows, heads, longest, width).transpose(1, 2).flatten(2, 3)
    found = found * layout.mask.flatten(1)[:, None, :, None]
    out = torch.zeros_like(query).scatter_add(2, index, found)
    return out.transpose(1, 2), None


AttentionInterface.register(NAME, attention)
