"""Pre-trained weight decay: the encoder toward what it began with, the head toward zero, biases
and norms not at all.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from shared.recipe import Recipe
from tests.encoders.names import is_head
from tests.worker.training.runs import make_recipe, make_task
from worker.training.model.encoder import load_encoder
from worker.training.model.initial_weights import copy_initial_weights
from worker.training.model.reinit import reinitialize_modules
from worker.training.optim.mixout import Mixout, add_mixout
from worker.training.optim.optimizer import Optimizer
from worker.training.optim.parameter_groups import compute_layerwise_scales

LAMBDA, RATE = 0.25, 1e-3


@pytest.fixture
def tiny(tiny_bert: Path) -> PreTrainedModel:
    return load_encoder(tiny_bert, make_task(), 0).double()


def weights(network: PreTrainedModel) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def is_spared(name: str, tensor: Tensor) -> bool:
    return tensor.ndim == 1 or "relative_attention_bias" in name


@pytest.mark.parametrize("bias_correction", [True, False])
def test_without_a_gradient_a_step_is_the_written_decay(
    family: str, bias_correction: bool, fresh: Callable[[], PreTrainedModel]
) -> None:
    """α λ (θ - θ0) at the group's rate α, which leaving the bias correction out does not
    enlarge.
    """
    recipe = make_recipe(
        pretrained_weight_decay=LAMBDA,
        bias_correction=bias_correction,
        layerwise_learning_rate_decay=0.9,
    )
    network = fresh().double()
    reinitialize_modules(network, pooler=False, layers=1, init_seed=3)
    start, before = copy_initial_weights(network, recipe), weights(network)
    optimizer = Optimizer(network, recipe, start)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(
                torch.linspace(-1, 1, parameter.numel(), dtype=torch.float64).view_as(parameter)
            )
            parameter.grad = torch.zeros_like(parameter)
    moved = weights(network)
    optimizer.step(RATE)
    scales = compute_layerwise_scales(network, 0.9)
    for name, parameter in network.named_parameters():
        toward = torch.zeros_like(before[name]) if is_head(family, name) else before[name]
        share = 0.0 if is_spared(name, parameter) else RATE * scales[parameter] * LAMBDA
        expected = moved[name] - share * (moved[name] - toward)
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-12, atol=1e-14, msg=name)
    assert set(start) == {
        parameter
        for name, parameter in network.named_parameters()
        if not is_spared(name, parameter) and not is_head(family, name)
    }


def test_it_comes_before_the_step_and_beside_other_decay(tiny: PreTrainedModel) -> None:
    """Three steps on given gradients against the definition, written out for one weight of the
    encoder and one of the head.
    """
    recipe = make_recipe(pretrained_weight_decay=LAMBDA, weight_decay=0.1, adam_epsilon=1e-8)
    encoder, head = (
        tiny.get_parameter("bert.encoder.layer.0.output.dense.weight"),
        tiny.get_parameter("classifier.weight"),
    )
    expected = {encoder: encoder.detach().clone(), head: head.detach().clone()}
    toward = {encoder: encoder.detach().clone(), head: torch.zeros_like(head)}
    first, second = (
        {parameter: torch.zeros_like(parameter) for parameter in expected} for _ in range(2)
    )
    optimizer = Optimizer(tiny, recipe, copy_initial_weights(tiny, recipe))
    for step, rate in enumerate((1e-3, 5e-3, 2e-3), start=1):
        for parameter in tiny.parameters():
            parameter.grad = torch.zeros_like(parameter)
        for parameter, value in expected.items():
            gradient = (step * value).cos()
            parameter.grad = gradient.clone()
            decayed = value - rate * LAMBDA * (value - toward[parameter])
            decayed = decayed - rate * 0.1 * decayed
            first[parameter] = 0.9 * first[parameter] + 0.1 * gradient
            second[parameter] = 0.999 * second[parameter] + 0.001 * gradient**2
            m, v = first[parameter] / (1 - 0.9**step), second[parameter] / (1 - 0.999**step)
            expected[parameter] = decayed - rate * m / (v**0.5 + 1e-8)
        optimizer.step(rate)
    for parameter, value in expected.items():
        torch.testing.assert_close(parameter.detach(), value, rtol=1e-10, atol=1e-13)


def kept(network: PreTrainedModel, recipe: Recipe) -> int:
    """Numbers kept of the start."""
    return sum(tensor.numel() for tensor in copy_initial_weights(network, recipe).values())


def test_one_copy_serves_both_methods_and_none_is_kept_without_them(tiny: PreTrainedModel) -> None:
    assert kept(tiny, make_recipe()) == 0
    mixed, decayed = (
        kept(tiny, make_recipe(mixout=0.1)),
        kept(tiny, make_recipe(pretrained_weight_decay=0.1)),
    )
    both = make_recipe(mixout=0.1, pretrained_weight_decay=0.1)
    assert 0 < mixed < decayed == kept(tiny, both) < tiny.num_parameters()
    start = copy_initial_weights(tiny, both)
    add_mixout(tiny, 0.1, start)
    copies = {tensor.data_ptr() for tensor in start.values()}
    of_mixout = [module.start.data_ptr() for module in tiny.modules() if isinstance(module, Mixout)]
    assert (
        len(of_mixout) == 3 * 6 + 1
    )  # query, key, value, output, and two of the feed-forward; the pooler's
    assert set(of_mixout) < copies
    Optimizer(tiny, both, start)  # finds every weight it needs though mixout renamed some


def test_a_start_that_was_forgotten_is_an_error(tiny: PreTrainedModel) -> None:
    with pytest.raises(ValueError, match="without the weights they began with"):
        Optimizer(tiny, make_recipe(pretrained_weight_decay=0.1))
