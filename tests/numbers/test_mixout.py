"""Mixout: its formula, mean and gradient, the layers it covers, and plain networks without it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from tests.encoders import ENCODERS
from tests.encoders.names import get_block, is_pooler
from tests.worker.training.runs import TrainedRun, make_recipe, make_spec
from worker.training.model.initial_weights import copy_initial_weights
from worker.training.optim.mixout import Mixout, add_mixout, remove_mixout
from worker.training.seeding import seed_dropout

P = 0.3


def draw_weights(size: int = 6) -> tuple[Tensor, Tensor]:
    """Draw current and initial weights, in float64."""
    draw = torch.Generator().manual_seed(0)
    weight, start = (torch.randn(size, size, generator=draw, dtype=torch.float64) for _ in range(2))
    return weight, start


def find_mask(mixed: Tensor, start: Tensor) -> Tensor:
    """Return where W_mix equals W0."""
    return torch.isclose(mixed, start, rtol=1e-12, atol=0)


def test_each_element_follows_the_formula() -> None:
    weight, start = draw_weights(100)
    mixed = Mixout(start, P)(weight)
    m = find_mask(mixed, start).double()
    torch.testing.assert_close(
        mixed, (m * start + (1 - m) * weight - P * start) / (1 - P), rtol=1e-12, atol=1e-12
    )
    assert m.mean().item() == pytest.approx(P, abs=4 * (P * (1 - P) / m.numel()) ** 0.5)


def test_the_mean_is_the_weight_itself() -> None:
    weight, start = draw_weights()
    mixout = Mixout(start, P)
    draws = torch.stack([mixout(weight) for _ in range(20_000)])
    # the deviation of one element is |W - W0| √(p/(1-p)); allow five standard errors of the mean
    error = (weight - start).abs() * (P / (1 - P)) ** 0.5 / 20_000**0.5
    assert torch.all((draws.mean(0) - weight).abs() < 5 * error)
    assert torch.all(draws.std(0) > 0)


def test_autograd_gives_the_gradient_of_the_formula() -> None:
    weight, start = draw_weights()
    weight.requires_grad_()
    mixed = Mixout(start, P)(weight)
    incoming = torch.arange(36, dtype=torch.float64).view(6, 6) + 1
    (gradient,) = torch.autograd.grad(mixed, weight, incoming)
    m = find_mask(mixed, start).double()
    torch.testing.assert_close(gradient, incoming * (1 - m) / (1 - P), rtol=1e-12, atol=0)


def enable_mixout(network: PreTrainedModel, probability: float = P) -> PreTrainedModel:
    add_mixout(network, probability, copy_initial_weights(network, make_recipe(mixout=probability)))
    return network


def test_exactly_the_linear_layers_of_blocks_and_pooler_are_mixed(
    family: str, load_network: Callable[[], PreTrainedModel]
) -> None:
    expected = {
        name
        for name, module in load_network().named_modules()
        if isinstance(module, nn.Linear)
        and (get_block(family, f"{name}.") is not None or is_pooler(family, f"{name}."))
    }
    network = enable_mixout(load_network())
    found = {
        name for name, module in network.named_modules() if parametrize.is_parametrized(module)
    }
    assert found == expected
    assert all(
        list(network.get_submodule(name).parametrizations.keys()) == ["weight"]  # type: ignore[union-attr, operator]
        for name in found
    )


INPUTS = {
    "input_ids": torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]]),
    "attention_mask": torch.ones(2, 4).long(),
}


@torch.no_grad()
def compute_logits(network: PreTrainedModel, step: int = 1) -> Tensor:
    seed_dropout(0, step)
    logits: Tensor = network(**INPUTS).logits
    return logits


def test_all_other_dropout_is_off(load_network: Callable[[], PreTrainedModel]) -> None:
    """The base model has dropout 0.5; with hardly any mixing, both modes must agree."""
    plain = load_network().train()
    assert not torch.allclose(compute_logits(plain, 1), compute_logits(plain, 2), atol=1e-4)
    network = enable_mixout(load_network(), 1e-9)
    torch.testing.assert_close(
        compute_logits(network.train()), compute_logits(network.eval()), rtol=1e-5, atol=1e-6
    )


def test_training_mixes_by_the_seed_of_the_step_and_evaluation_does_not(
    load_network: Callable[[], PreTrainedModel],
) -> None:
    network = load_network().eval()
    before = compute_logits(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    untouched = compute_logits(network)
    assert not torch.allclose(before, untouched)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.div_(1.5)
    enable_mixout(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    assert torch.equal(compute_logits(network.eval()), untouched)
    network.train()
    assert torch.equal(compute_logits(network, 3), compute_logits(network, 3))
    assert not torch.allclose(compute_logits(network, 3), compute_logits(network, 4), atol=1e-5)
    assert not torch.allclose(compute_logits(network, 3), untouched, atol=1e-5)


def test_removing_mixout_leaves_the_plain_network(
    load_network: Callable[[], PreTrainedModel],
) -> None:
    plain = load_network()
    network = load_network()
    identities = {id(parameter) for parameter in network.parameters()}
    enable_mixout(network)
    # an optimizer refers to the same parameters before and after
    assert {id(parameter) for parameter in network.parameters()} == identities
    assert "start" not in " ".join(network.state_dict())
    remove_mixout(network)
    assert {id(parameter) for parameter in network.parameters()} == identities
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert [type(module) for module in network.modules()] == [
        type(module) for module in plain.modules()
    ]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


@pytest.mark.parametrize("name", ["albert", "deberta-v3", "modernbert"])
def test_a_run_depends_on_its_spec_alone_and_exports_a_plain_folder(
    name: str, tmp_path: Path
) -> None:
    base = ENCODERS[name](tmp_path / "base", dropout=0.5)
    recipe = make_recipe(mixout=P, max_steps=4, eval_points=2)
    runs = []
    for _ in range(2):
        runs.append(TrainedRun(make_spec(tmp_path, base, recipe=recipe)))
        torch.randn(3)
    assert runs[0].events == runs[1].events
    other = TrainedRun(make_spec(tmp_path, base, recipe=recipe, data_seed=2))
    assert other.losses != runs[0].losses
    stored = load_file(runs[0].spec.output / "model" / "model.safetensors")
    assert not [name for name in stored if "parametrizations" in name or "start" in name]
    config = (runs[0].spec.output / "model" / "config.json").read_text()
    assert "0.5" in config  # the base model's dropout is exported
