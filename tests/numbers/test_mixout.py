"""Mixout: the formula, its mean and its gradient; which layers have it; nothing of it outside
of training.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import PreTrainedModel

from tests.encoders import ENCODERS
from tests.encoders.names import block_of, is_pooler
from tests.worker.training.runs import Trained, make_recipe, make_spec
from worker.training.model.initial_weights import copy_initial_weights
from worker.training.optim.mixout import Mixout, add_mixout, remove_mixout
from worker.training.seeding import seed_dropout

P = 0.3


def pair(size: int = 6) -> tuple[Tensor, Tensor]:
    """Weights as they are and as they began, in float64."""
    draw = torch.Generator().manual_seed(0)
    weight, start = (torch.randn(size, size, generator=draw, dtype=torch.float64) for _ in range(2))
    return weight, start


def mask_of(mixed: Tensor, start: Tensor) -> Tensor:
    """Where the start was put: W_mix is W0 there, by the formula."""
    return torch.isclose(mixed, start, rtol=1e-12, atol=0)


def test_each_element_is_one_of_the_two_that_the_formula_has() -> None:
    weight, start = pair(100)
    mixed = Mixout(start, P)(weight)
    m = mask_of(mixed, start).double()
    torch.testing.assert_close(
        mixed, (m * start + (1 - m) * weight - P * start) / (1 - P), rtol=1e-12, atol=1e-12
    )
    assert m.mean().item() == pytest.approx(P, abs=4 * (P * (1 - P) / m.numel()) ** 0.5)


def test_the_mean_is_the_weight_itself() -> None:
    weight, start = pair()
    mixout = Mixout(start, P)
    draws = torch.stack([mixout(weight) for _ in range(20_000)])
    # the deviation of one element is |W - W0| √(p/(1-p)); five standard errors of the mean of
    # so many draws
    error = (weight - start).abs() * (P / (1 - P)) ** 0.5 / 20_000**0.5
    assert torch.all((draws.mean(0) - weight).abs() < 5 * error)
    assert torch.all(draws.std(0) > 0)


def test_autograd_gives_the_gradient_of_the_formula() -> None:
    weight, start = pair()
    weight.requires_grad_()
    mixed = Mixout(start, P)(weight)
    incoming = torch.arange(36, dtype=torch.float64).view(6, 6) + 1
    (gradient,) = torch.autograd.grad(mixed, weight, incoming)
    m = mask_of(mixed, start).double()
    torch.testing.assert_close(gradient, incoming * (1 - m) / (1 - P), rtol=1e-12, atol=0)


def with_mixout(network: PreTrainedModel, probability: float = P) -> PreTrainedModel:
    add_mixout(network, probability, copy_initial_weights(network, make_recipe(mixout=probability)))
    return network


def test_the_linear_layers_of_blocks_and_pooler_have_it_and_no_others(
    family: str, fresh: Callable[[], PreTrainedModel]
) -> None:
    expected = {
        name
        for name, module in fresh().named_modules()
        if isinstance(module, nn.Linear)
        and (block_of(family, f"{name}.") is not None or is_pooler(family, f"{name}."))
    }
    network = with_mixout(fresh())
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
def logits(network: PreTrainedModel, step: int = 1) -> Tensor:
    seed_dropout(0, step)
    answer: Tensor = network(**INPUTS).logits
    return answer


def test_all_other_dropout_is_off(fresh: Callable[[], PreTrainedModel]) -> None:
    """The base model has dropout 0.5 wherever its family can; with next to no mixing, training
    computes what evaluation does.
    """
    plain = fresh().train()
    assert not torch.allclose(logits(plain, 1), logits(plain, 2), atol=1e-4)
    network = with_mixout(fresh(), 1e-9)
    torch.testing.assert_close(
        logits(network.train()), logits(network.eval()), rtol=1e-5, atol=1e-6
    )


def test_training_mixes_by_the_seed_of_the_step_and_evaluation_does_not_mix(
    fresh: Callable[[], PreTrainedModel],
) -> None:
    network = fresh().eval()
    before = logits(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    untouched = logits(network)
    assert not torch.allclose(before, untouched)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.div_(1.5)
    with_mixout(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    assert torch.equal(logits(network.eval()), untouched)
    network.train()
    assert torch.equal(logits(network, 3), logits(network, 3))
    assert not torch.allclose(logits(network, 3), logits(network, 4), atol=1e-5)
    assert not torch.allclose(logits(network, 3), untouched, atol=1e-5)


def test_taken_away_it_leaves_the_plain_network(fresh: Callable[[], PreTrainedModel]) -> None:
    plain = fresh()
    network = fresh()
    identities = {id(parameter) for parameter in network.parameters()}
    with_mixout(network)
    assert {
        id(parameter) for parameter in network.parameters()
    } == identities  # an optimiser keeps hold of them
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
def test_a_run_depends_on_its_row_alone_and_leaves_a_plain_folder(
    name: str, tmp_path: Path
) -> None:
    base = ENCODERS[name](tmp_path / "base", dropout=0.5)
    recipe = make_recipe(mixout=P, max_steps=4, eval_points=2)
    runs = []
    for _ in range(2):
        runs.append(Trained(make_spec(tmp_path, base, recipe=recipe)))
        torch.randn(3)
    assert runs[0].events == runs[1].events
    other = Trained(make_spec(tmp_path, base, recipe=recipe, data_seed=2))
    assert other.losses != runs[0].losses
    stored = load_file(runs[0].spec.output / "model" / "model.safetensors")
    assert not [name for name in stored if "parametrizations" in name or "start" in name]
    config = (runs[0].spec.output / "model" / "config.json").read_text()
    assert "0.5" in config  # the base model's dropout, which whoever trains on may want
