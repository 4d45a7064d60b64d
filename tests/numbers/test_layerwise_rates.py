"""Layer-wise learning-rate decay: every parameter trains, each at the rate of its depth."""

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from tests.encoders import BLOCKS
from tests.encoders.names import block_of, is_head, is_pooler
from tests.worker.training.runs import make_recipe
from worker.training.model.module_groups import list_module_groups
from worker.training.optim.optimizer import Optimizer
from worker.training.optim.parameter_groups import build_parameter_groups


def expected_depth(family: str, name: str) -> int:
    """How often ξ is in the rate of a parameter: 0 of the head, 1 of the top block, L of the
    bottom one, L+1 of the embeddings.
    """
    blocks = 1 if family == "albert" else BLOCKS
    block = block_of(family, name)
    if is_head(family, name) or is_pooler(family, name):
        return 0
    if name.startswith("model.final_norm"):
        return 1  # it follows the top block
    return blocks + 1 if block is None else blocks - block


def test_a_first_step_goes_as_far_as_the_depth_says(
    family: str, fresh: Callable[[], PreTrainedModel]
) -> None:
    """Adam's first corrected step is the rate itself, whatever the gradient: so each rate can
    be read off the weights.
    """
    network = fresh().double()
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 3.0)
    Optimizer(network, make_recipe(layerwise_learning_rate_decay=0.5)).step(1e-3)
    for name, tensor in network.named_parameters():
        moved = (before[name] - tensor.detach()) / 1e-3
        torch.testing.assert_close(
            moved, torch.full_like(moved, 0.5 ** expected_depth(family, name)), rtol=1e-7, atol=0
        )


@pytest.mark.parametrize("decay", [1.0, 0.95])
def test_every_parameter_is_in_exactly_one_group(
    family: str, decay: float, fresh: Callable[[], PreTrainedModel]
) -> None:
    network = fresh()
    groups = build_parameter_groups(network, make_recipe(layerwise_learning_rate_decay=decay))
    grouped = [id(parameter) for group in groups for parameter in group.parameters]
    assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())
    scales = {group.rate_scale for group in groups}
    depths = {expected_depth(family, name) for name, _ in network.named_parameters()}
    assert scales == {decay**depth for depth in depths}


def test_the_parts_are_told_from_the_bottom_up_and_hold_every_parameter_once(
    family: str, fresh: Callable[[], PreTrainedModel]
) -> None:
    network = fresh()
    parts = list_module_groups(network)
    held = [name for part in parts for name in part.parameters]
    assert sorted(held) == sorted(name for name, _ in network.named_parameters())
    blocks = [f"block {index}" for index in range(1 if family == "albert" else BLOCKS)]
    names = [part.name for part in parts]
    assert names in (["embeddings", *blocks, "head"], ["embeddings", *blocks, "pooler", "head"])
    assert all(part.parameters for part in parts)
    for part in parts:
        for name in part.parameters:
            assert is_head(family, name) == (part.name == "head"), name
            assert is_pooler(family, name) == (part.name == "pooler"), name
            block = block_of(family, name)
            assert block is None or part.name == f"block {block}", name


def test_with_one_rate_for_all_a_step_is_the_plain_optimisers(
    fresh: Callable[[], PreTrainedModel],
) -> None:
    plain, scaled = fresh(), fresh()
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
