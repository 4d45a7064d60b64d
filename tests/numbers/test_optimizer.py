"""The corrected optimizer equals torch's AdamW to the last bit; the control equals BERTAdam."""

import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shared.recipe import Recipe
from tests.encoders import ENCODERS
from tests.worker.training.runs import make_recipe, make_task
from worker.training.model.encoder import load_encoder
from worker.training.optim.optimizer import (
    Optimizer,
    clip_gradient,
    compute_bias_ratio,
    compute_gradient_norm,
)
from worker.training.optim.parameter_groups import build_parameter_groups, find_undecayed_parameters

RATIOS = {
    1: 3.1623, 2: 4.2496, 5: 5.7971, 10: 6.5279, 12: 6.5685, 20: 6.2409, 50: 4.5037,
    100: 3.2408, 234: 2.1888, 500: 1.5939, 1000: 1.2576, 3000: 1.0258,
}  # fmt: skip
"""The factor by which BERTAdam's step t is too large."""


def build_network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 17), nn.LayerNorm(17), nn.GELU(), nn.Linear(17, 3))


def iterate_backward_passes(steps: int) -> Iterator[Callable[[nn.Module], None]]:
    """Iterate over backward passes of a random regression problem, the same in every call."""
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        inputs, targets = torch.randn(8, 5, generator=draw), torch.randn(8, 3, generator=draw)

        def backward(net: nn.Module, inputs: Tensor = inputs, targets: Tensor = targets) -> None:
            net.zero_grad()
            nn.functional.mse_loss(net(inputs), targets).backward()

        yield backward


def list_rates(steps: int) -> list[float]:
    return [1e-3 * (1 - step / steps) for step in range(steps)]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_corrected_steps_are_those_of_torchs_adamw_bit_for_bit(weight_decay: float) -> None:
    ours, theirs = build_network(), build_network()
    optimizer = Optimizer(ours, make_recipe(weight_decay=weight_decay))
    reference = torch.optim.AdamW(
        [
            {"params": [theirs[0].weight, theirs[3].weight], "weight_decay": weight_decay},
            {
                "params": [theirs[0].bias, *theirs[1].parameters(), theirs[3].bias],
                "weight_decay": 0.0,
            },
        ],
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=True,
    )
    for rate, backward in zip(list_rates(1000), iterate_backward_passes(1000), strict=True):
        backward(ours)
        optimizer.step(rate)
        backward(theirs)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
    for our, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(our, their)
    assert not torch.equal(next(ours.parameters()), next(build_network().parameters()))


def test_fused_differs_from_the_loop_by_rounding_alone() -> None:
    ours, theirs = build_network(), build_network()
    optimizer = Optimizer(ours, make_recipe())
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=1e-3, eps=1e-8, weight_decay=0.0, foreach=False, fused=False
    )
    for backward in iterate_backward_passes(50):
        backward(ours)
        optimizer.step(1e-3)
        backward(theirs)
        reference.step()
    for our, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-6)


def test_the_bias_ratio_is_the_papers_curve() -> None:
    for update, ratio in RATIOS.items():
        assert compute_bias_ratio(update) == pytest.approx(ratio, abs=5e-5)
    assert max(range(1, 100), key=compute_bias_ratio) == 12


def measure_steps_on_constant_gradient(
    recipe: Recipe, updates: int, gradient: float = 1.0
) -> list[float]:
    """Return the sizes of the steps that a single float64 parameter takes at rate 1e-3."""
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    optimizer = Optimizer(layer, recipe)
    sizes = []
    for _ in range(updates):
        before = layer.weight.item()
        layer.weight.grad = torch.full_like(layer.weight, gradient)
        optimizer.step(1e-3)
        sizes.append(before - layer.weight.item())
    return sizes


def test_without_correction_steps_are_too_large_by_the_ratio() -> None:
    """With a constant gradient the corrected step is the rate, so BERTAdam's is r(t) times it."""
    corrected = measure_steps_on_constant_gradient(make_recipe(), 3000)
    control = measure_steps_on_constant_gradient(make_recipe(bias_correction=False), 3000)
    assert corrected[0] == pytest.approx(1e-3, rel=1e-6)
    assert control[0] / corrected[0] == pytest.approx(3.1623, abs=5e-5)
    for update, ratio in RATIOS.items():
        exact = (1 - 0.9**update) / math.sqrt(1 - 0.999**update)
        measured = control[update - 1] / corrected[update - 1]
        assert measured == pytest.approx(ratio, abs=5e-5)
        assert measured == pytest.approx(exact, rel=1e-6)


def run_reference_bertadam(
    weight: Tensor, gradients: list[Tensor], rates: list[float], *, decay: float, epsilon: float
) -> Tensor:
    """Compute BERTAdam as Devlin et al. wrote it: m and v uncorrected, decay decoupled."""
    weight, first, second = weight.clone(), torch.zeros_like(weight), torch.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight = weight - rate * (first / (second.sqrt() + epsilon) + decay * weight)
    return weight


@pytest.mark.parametrize(("decay", "epsilon"), [(0.0, 1e-8), (0.01, 1e-6), (0.5, 1e-2)])
def test_the_control_is_bertadam_as_published(decay: float, epsilon: float) -> None:
    draw = torch.Generator().manual_seed(3)
    layer = nn.Linear(7, 11, bias=False, dtype=torch.float64)
    start = layer.weight.detach().clone()
    drawn = [torch.randn(start.shape, generator=draw, dtype=torch.float64) for _ in range(300)]
    optimizer = Optimizer(
        layer, make_recipe(bias_correction=False, weight_decay=decay, adam_epsilon=epsilon)
    )
    for gradient, rate in zip(drawn, list_rates(300), strict=True):
        layer.weight.grad = gradient.clone()
        optimizer.step(rate)
    expected = run_reference_bertadam(start, drawn, list_rates(300), decay=decay, epsilon=epsilon)
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-10, atol=1e-12)


def test_bias_and_normalization_parameters_take_no_decay() -> None:
    net = build_network()
    decayed, undecayed = build_parameter_groups(net, make_recipe())
    assert decayed.has_weight_decay
    assert not undecayed.has_weight_decay
    assert are_same(decayed.parameters, [net[0].weight, net[3].weight])
    assert are_same(undecayed.parameters, [net[0].bias, net[1].weight, net[1].bias, net[3].bias])


def are_same(found: list[nn.Parameter], expected: list[Any]) -> bool:
    return [id(parameter) for parameter in found] == [id(parameter) for parameter in expected]


@pytest.mark.parametrize("family", ENCODERS)
def test_in_every_family_vectors_are_undecayed_and_matrices_decay(
    family: str, tmp_path: Path
) -> None:
    """Vectors are biases and norm weights; a table of biases is the only undecayed matrix."""
    net = load_encoder(ENCODERS[family](tmp_path, blocks=2), make_task(), 0)
    undecayed = find_undecayed_parameters(net)
    for name, parameter in net.named_parameters():
        is_undecayed = parameter.ndim == 1 or name == "mpnet.encoder.relative_attention_bias.weight"
        assert (parameter in undecayed) == is_undecayed, name


@pytest.mark.parametrize("bias_correction", [True, False])
def test_a_restored_optimizer_continues_to_the_last_bit(bias_correction: bool) -> None:
    recipe = make_recipe(bias_correction=bias_correction, weight_decay=0.1)
    whole, halves = build_network(), build_network()
    optimizer, first = Optimizer(whole, recipe), Optimizer(halves, recipe)
    passes = list(iterate_backward_passes(20))
    for rate, backward in zip(list_rates(20), passes, strict=True):
        backward(whole)
        optimizer.step(rate)
    for rate, backward in zip(list_rates(20)[:9], passes[:9], strict=True):
        backward(halves)
        first.step(rate)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Optimizer(halves, recipe)
    second.load_state_dict(torch.load(file, weights_only=True))
    for rate, backward in zip(list_rates(20)[9:], passes[9:], strict=True):
        backward(halves)
        second.step(rate)
    for our, their in zip(halves.parameters(), whole.parameters(), strict=True):
        assert torch.equal(our, their)


def test_frozen_parameters_are_left_out() -> None:
    net = build_network()
    net[0].weight.requires_grad_(False)
    decayed, _ = build_parameter_groups(net, make_recipe())
    assert are_same(decayed.parameters, [net[3].weight])


@pytest.mark.parametrize("max_norm", [0.0, 0.05, 1e6])
def test_clipping_is_torchs_and_zero_does_not_clip(max_norm: float) -> None:
    ours, theirs = build_network(), build_network()
    backward = next(iterate_backward_passes(1))
    backward(ours)
    backward(theirs)
    norm = compute_gradient_norm(ours.parameters())
    clip_gradient(ours.parameters(), norm, max_norm)
    reference = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm or math.inf)
    assert norm.item() == reference.item() > 0.05
    for our, their in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert our.grad is not None
        assert their.grad is not None
        assert torch.equal(our.grad, their.grad)
