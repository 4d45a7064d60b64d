"""Dropout with cheaper random numbers, for CPUs: torch draws a Bernoulli number an element, one
after the other, 5 ns each.

Here an element takes 16 random bits, a quarter of one draw of the same generator, and is
dropped where they are below p · 2¹⁶. So the rate is a multiple of 2⁻¹⁶ (p = 0.1 becomes
0.10001), and what is kept is scaled by that rate's 1/(1-p): the mean is the input itself, as it
is under torch's. All but the draw is arithmetic on whole registers.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEVELS = 2**16


@dataclass(frozen=True)
class DropoutRate:
    """A probability of dropping, as 16 bits give it."""

    dropped_levels: int
    """Of ``LEVELS``."""

    @classmethod
    def from_probability(cls, probability: float) -> Self:
        """Something is always kept."""
        return cls(min(round(probability * LEVELS), LEVELS - 1))

    @property
    def keep_scale(self) -> float:
        """Of what is kept."""
        return LEVELS / (LEVELS - self.dropped_levels)

    def draw_keep_mask(self, size: int, dtype: torch.dtype) -> Tensor:
        """Of shape (size,): 0 with the probability of dropping, else 1. From torch's global
        generator of the CPU.
        """
        bits = torch.empty(math.ceil(size / 4), dtype=torch.int64).random_(-(2**63), None)
        levels = bits.view(torch.int16)[:size]
        # into floating point at once: products of unlike types, and comparisons into booleans,
        # take several times as long
        return torch.ge(
            levels, self.dropped_levels - LEVELS // 2, out=torch.empty(size, dtype=dtype)
        )


class BitDropout(nn.Dropout):
    """In the place of an ``nn.Dropout``; float32 and bfloat16."""

    def forward(self, input: Tensor) -> Tensor:
        rate = DropoutRate.from_probability(self.p)
        if not self.training or rate.dropped_levels == 0:
            return input
        result: Tensor = _BitDropoutFunction.apply(input, rate)  # type: ignore[no-untyped-call]
        return result


def install_bit_dropout(network: nn.Module) -> None:
    """Have a network on a CPU draw its dropout this way. In evaluation mode it is as before."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, BitDropout(child.p).train(child.training))


class _BitDropoutFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, rate: DropoutRate) -> Tensor:
        kept = rate.draw_keep_mask(input.numel(), input.dtype).view(input.shape)
        ctx.save_for_backward(kept)
        ctx.scale = rate.keep_scale
        return _apply_keep_mask(input, kept, ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (kept,) = ctx.saved_tensors
        return _apply_keep_mask(gradient, kept, ctx.scale), None


def _apply_keep_mask(tensor: Tensor, kept: Tensor, scale: float) -> Tensor:
    """scale · tensor · kept, rounded once."""
    return torch.addcmul(tensor.new_zeros(()), tensor, kept, value=scale)
