"""Dropout with cheaper random numbers for CPUs, where torch draws one Bernoulli number at a time.

torch takes 5 ns per element. Here an element takes 16 random bits, a quarter of one draw of the
same generator, and is dropped if they are below p · 2¹⁶. So the rate is a multiple of 2⁻¹⁶ (p = 0.1
becomes 0.10001), and kept elements are scaled by 1/(1-p) of that rate: the mean is the input, as
with torch. Everything but the draw is arithmetic on whole registers.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

LEVELS = 2**16
"""Values of 16 random bits."""


@dataclass(frozen=True)
class DropoutRate:
    """A dropout probability in units of 2⁻¹⁶."""

    dropped_levels: int
    """How many of the ``LEVELS`` are dropped."""

    @classmethod
    def from_probability(cls, probability: float) -> Self:
        """Round the probability to the nearest rate below 1."""
        return cls(min(round(probability * LEVELS), LEVELS - 1))

    @property
    def keep_scale(self) -> float:
        """Factor of the kept elements."""
        return LEVELS / (LEVELS - self.dropped_levels)

    def draw_keep_mask(self, size: int, dtype: torch.dtype) -> Tensor:
        """Draw a mask of shape (size,) from the CPU's global generator: 0 drops, 1 keeps."""
        bits = torch.empty(math.ceil(size / 4), dtype=torch.int64).random_(-(2**63), None)
        levels = bits.view(torch.int16)[:size]
        # directly into floating point: products of mixed types, and comparisons into booleans,
        # take several times as long
        return torch.ge(
            levels, self.dropped_levels - LEVELS // 2, out=torch.empty(size, dtype=dtype)
        )


class BitDropout(nn.Dropout):
    """Replacement of ``nn.Dropout`` for float32 and bfloat16 on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        rate = DropoutRate.from_probability(self.p)
        if not self.training or rate.dropped_levels == 0:
            return input
        result: Tensor = _BitDropoutFunction.apply(input, rate)  # type: ignore[no-untyped-call]
        return result


def install_bit_dropout(network: nn.Module) -> None:
    """Replace every ``nn.Dropout`` of a network on a CPU by ``BitDropout``."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, BitDropout(child.p).train(child.training))


class _DropoutContext(FunctionCtx):
    """Values that the forward pass keeps for the backward pass."""

    keep_scale: float
    saved_tensors: tuple[Tensor]


class _BitDropoutFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: _DropoutContext, input: Tensor, rate: DropoutRate) -> Tensor:
        keep_mask = rate.draw_keep_mask(input.numel(), input.dtype).view(input.shape)
        ctx.save_for_backward(keep_mask)
        ctx.keep_scale = rate.keep_scale
        return _apply_keep_mask(input, keep_mask, ctx.keep_scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: _DropoutContext, gradient: Tensor) -> tuple[Tensor, None]:
        (keep_mask,) = ctx.saved_tensors
        return _apply_keep_mask(gradient, keep_mask, ctx.keep_scale), None


def _apply_keep_mask(tensor: Tensor, keep_mask: Tensor, scale: float) -> Tensor:
    """Return scale · tensor · keep_mask, rounded once."""
    return torch.addcmul(tensor.new_zeros(()), tensor, keep_mask, value=scale)
