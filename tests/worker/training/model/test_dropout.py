"""Dropout from random bits has the statistics and the gradient of torch's."""

import pytest
import torch
from torch import Tensor

from worker.training.model.dropout import LEVELS, BitDropout

SHAPE = (500, 801)
"""Not a multiple of four elements, so that the last draw is partly used."""


def drop_ones(
    p: float, seed: int = 0, dtype: torch.dtype = torch.bfloat16
) -> tuple[Tensor, Tensor]:
    torch.manual_seed(seed)
    ones = torch.ones(SHAPE, dtype=dtype, requires_grad=True)
    return ones, BitDropout(p)(ones)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.93])
def test_the_rate_and_the_scale(p: float, dtype: torch.dtype) -> None:
    _, result = drop_ones(p, dtype=dtype)
    assert result.dtype == dtype
    zeros = (result == 0).double().mean().item()
    assert zeros == pytest.approx(p, abs=5 * (p * (1 - p) / result.numel()) ** 0.5 + 1 / LEVELS)
    rate = round(p * LEVELS) / LEVELS
    assert set(result.unique().tolist()) == {0.0, torch.tensor(1 / (1 - rate)).to(dtype).item()}


def test_kept_elements_are_rounded_once() -> None:
    """The scale is not rounded: 1 / 0.9 in bfloat16 would be off by 0.16% for every element."""
    torch.manual_seed(0)
    values = torch.rand(SHAPE).bfloat16() + 1
    result = BitDropout(0.1)(values)
    kept = result != 0
    rate = round(0.1 * LEVELS) / LEVELS
    assert torch.equal(result[kept], (values[kept].float() / (1 - rate)).bfloat16())


def test_neighbors_are_dropped_independently() -> None:
    """Four elements share a draw of 64 bits."""
    p = 0.3
    _, result = drop_ones(p)
    zeros = (result.flatten()[: SHAPE[0] * SHAPE[1] // 4 * 4] == 0).double().view(-1, 4)
    tolerance = 5 * (p * (1 - p) / len(zeros)) ** 0.5
    assert zeros.mean(0).tolist() == pytest.approx([p] * 4, abs=tolerance)
    joint = (zeros.T @ zeros / len(zeros)).fill_diagonal_(p * p)
    assert joint.flatten().tolist() == pytest.approx([p * p] * 16, abs=tolerance)


def test_only_kept_elements_get_a_gradient() -> None:
    ones, result = drop_ones(0.4)
    result.backward(torch.full(SHAPE, 3.0, dtype=torch.bfloat16))
    assert ones.grad is not None
    assert torch.equal(ones.grad != 0, result != 0)
    assert ones.grad.max().item() == pytest.approx(3 / 0.6, rel=2**-8)


def test_the_mask_depends_on_the_seed() -> None:
    assert torch.equal(drop_ones(0.1, seed=1)[1], drop_ones(0.1, seed=1)[1])
    assert not torch.equal(drop_ones(0.1, seed=1)[1], drop_ones(0.1, seed=2)[1])


def test_rate_zero_and_evaluation_mode_drop_nothing() -> None:
    ones = torch.ones(SHAPE, dtype=torch.bfloat16)
    assert torch.equal(BitDropout(0.0)(ones), ones)
    assert torch.equal(BitDropout(0.5).eval()(ones), ones)
