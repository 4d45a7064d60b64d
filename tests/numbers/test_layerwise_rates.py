"""Layer-wise learning-rate decay trains every parameter at the rate of its depth."""

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from tests.encoders import BLOCKS
from tests.encoders.names import get_block, is_head, is_pooler
from tests.worker.training.runs import make_recipe
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.optimizer import Optimizer
from worker.training.optim.parameter_groups import build_parameter_groups


def get_expected_depth(family: str, name: str) -> int:
    """Return the exponent of ξ in a parameter's rate.

    It is 0 for the head, 1 for the top block, L for the bottom block, L+1 for the embeddings.
    """
    blocks = 1 if family == "albert" else BLOCKS
    block = get_block(family, name)
    if is_head(family, name) or is_pooler(family, name):
        return 0
    if name.startswith("model.final_norm"):
        return 1  # the final norm follows the top block
    return blocks + 1 if block is None else blocks - block


def test_the_first_step_of_each_parameter_has_the_rate_of_its_depth(
    family: str, load_network: Callable[[], PreTrainedModel]
) -> None:
    """Adam's first corrected step is the rate, whatever the gradient, so weights show the rates."""
    network = load_network().double()
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    Optimizer(network, make_recipe(layerwise_learning_rate_decay=0.5)).step(1e-3)
    for name, tensor in network.named_parameters():
        moved = (before[name] - tensor.detach()) / 1e-3
        torch.testing.assert_close(
            moved,
            torch.full_like(moved, 0.5 ** get_expected_depth(family, name)),
            rtol=1e-7,
            atol=0,
        )


@pytest.mark.parametrize("decay", [1.0, 0.95])
def test_every_parameter_is_in_exactly_one_group(
    family: str, decay: float, load_network: Callable[[], PreTrainedModel]
) -> None:
    network = load_network()
    groups = build_parameter_groups(network, make_recipe(layerwise_learning_rate_decay=decay))
    grouped = [id(parameter) for group in groups for parameter in group.parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    scales = {group.rate_scale for group in groups}
    depths = {get_expected_depth(family, name) for name, _ in network.named_parameters()}
    assert scales == {decay**depth for depth in depths}


def test_module_groups_are_ordered_bottom_up_and_partition_the_parameters(
    family: str, load_network: Callable[[], PreTrainedModel]
) -> None:
    network = load_network()
    groups = list_module_groups(network)
    grouped = [name for group in groups for name in group.parameters]
    assert sorted(grouped) == sorted(name for name, _ in network.named_parameters())
    blocks = [f"block {index}" for index in range(1 if family == "albert" else BLOCKS)]
    names = [group.name for group in groups]
    assert names in (["embeddings", *blocks, "head"], ["embeddings", *blocks, "pooler", "head"])
    assert all(group.parameters for group in groups)
    for group in groups:
        for name in group.parameters:
            assert is_head(family, name) == (group.name == "head"), name
            assert is_pooler(family, name) == (group.name == "pooler"), name
            block = get_block(family, name)
            assert block is None or group.name == f"block {block}", name


def test_a_decay_of_one_equals_the_plain_optimizer(
    load_network: Callable[[], PreTrainedModel],
) -> None:
    plain, scaled = load_network(), load_network()
    for recipe, network in (
        (make_recipe(), plain),
        (make_recipe(layerwise_learning_rate_decay=1.0), scaled),
    ):
        for parameter in network.parameters():
            parameter.grad = parameter.detach().sin()
        Optimizer(network, recipe).step(1e-3)
    assert all(
        torch.equal(one, other)
        for one, other in zip(plain.parameters(), scaled.parameters(), strict=True)
    )
