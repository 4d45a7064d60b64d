"""Dropout with cheaper random numbers, for CPUs: torch draws a Bernoulli number an element, one after the other, 5 ns each.

Here an element takes 15 random bits, a quarter of one draw of the same generator, and is dropped where they are below p · 2¹⁵. So the
rate is a multiple of 2⁻¹⁵ (p = 0.1 becomes 0.10001), and what is kept is scaled by that rate's 1/(1-p): the mean is the input itself,
as it is under torch's. All but the draw is arithmetic on whole registers.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

BITS = 15  # of each 16: the sign is what the comparison is read from
LEVELS = 2**BITS
ONE = 0x3F80  # of bfloat16, as an int16


class BitDropout(nn.Dropout):
    """In the place of an ``nn.Dropout`` whose inputs are bfloat16; other inputs it treats as that does."""

    def forward(self, input: Tensor) -> Tensor:
        dropped = min(round(self.p * LEVELS), LEVELS - 1)
        if not self.training or dropped == 0 or input.dtype != torch.bfloat16:
            return super().forward(input)
        result: Tensor = _Dropout.apply(input, dropped)  # type: ignore[no-untyped-call]
        return result


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, dropped: int) -> Tensor:
        kept = _kept(input, dropped)
        ctx.save_for_backward(kept)
        ctx.scale = LEVELS / (LEVELS - dropped)
        return _scaled(input, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _scaled(gradient, kept, ctx.scale), None


def _kept(like: Tensor, dropped: int) -> Tensor:
    """Of the shape of ``like``, bfloat16: 0 with probability ``dropped / LEVELS``, else 1."""
    words = torch.empty(-(-like.numel() // 4), dtype=torch.int64, device=like.device).random_(-(2**63), None)
    bits = words.view(torch.int16)[: like.numel()].view(like.shape)
    below = bits.bitwise_and_(LEVELS - 1).sub_(dropped).bitwise_right_shift_(BITS)  # -1, all bits set, where it is
    return below.bitwise_not_().bitwise_and_(ONE).view(torch.bfloat16)


def _scaled(tensor: Tensor, kept: Tensor, scale: float) -> Tensor:
    """scale · tensor · kept in one pass, rounded once."""
    return torch.addcmul(tensor.new_zeros(()), tensor, kept, value=scale)
