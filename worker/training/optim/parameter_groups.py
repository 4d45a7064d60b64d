"""Groups of parameters that share a learning rate and a weight decay.

Layer-wise learning-rate decay (LLRD; Howard & Ruder 2018; Zhang et al. 2021) with factor ξ: head
and pooler train at the full rate α, the top block at α·ξ, the next at α·ξ², …, the bottom of L
blocks at α·ξ^L, the embeddings at α·ξ^(L+1). Depths follow ``list_module_groups``. ALBERT's layers
share their weights, so its L is the number of distinct blocks, usually one.

Weight decay of either kind skips biases and the parameters of normalizations (Devlin et al. 2019).
"""

from dataclasses import dataclass
from itertools import groupby

from torch import nn
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.model.module_groups import is_bias, is_normalization, list_module_groups


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with one rate scale and one choice of weight decay."""

    parameters: list[nn.Parameter]
    rate_scale: float
    """Ratio of the group's rate to the schedule's rate."""
    has_weight_decay: bool


def build_parameter_groups(network: nn.Module, recipe: Recipe) -> list[ParameterGroup]:
    """Partition the trainable parameters into groups.

    Groups are ordered by falling rate, and within a rate those with weight decay come first. With
    layer-wise decay the network must belong to a known family.
    """
    scales = compute_layerwise_scales(network, recipe.layerwise_learning_rate_decay)
    undecayed = find_undecayed_parameters(network)

    def get_sort_key(parameter: nn.Parameter) -> tuple[float, bool]:
        return -scales.get(parameter, 1.0), parameter in undecayed

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        ParameterGroup(list(members), rate_scale=-negative_scale, has_weight_decay=not is_undecayed)
        for (negative_scale, is_undecayed), members in groupby(
            sorted(trained, key=get_sort_key), get_sort_key
        )
    ]


def compute_layerwise_scales(network: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Return each parameter's rate relative to the head's; empty for a decay of 1."""
    if decay == 1.0:
        return {}
    assert isinstance(network, PreTrainedModel), "layer-wise rates need a known encoder family"
    groups = list_module_groups(network)
    blocks = sum(group.name.startswith("block") for group in groups)
    # bottom up: embeddings, L blocks, then the pooler and the head, which share the full rate
    depths = [max(0, blocks + 1 - index) for index in range(len(groups))]
    return {
        parameter: decay**depth
        for group, depth in zip(groups, depths, strict=True)
        for parameter in group.parameters.values()
    }


def find_undecayed_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Return the biases and the parameters of normalizations, which take no weight decay."""
    return {
        parameter
        for module_name, module in network.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if is_normalization(module) or is_bias(f"{module_name}.{name}")
    }
