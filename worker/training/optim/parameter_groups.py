"""Which parameters share a rate and a decay.

Layer-wise learning-rate decay (LLRD; Howard & Ruder 2018; Zhang et al. 2021) with factor ξ:
head and pooler train at the full rate α, the top block at α·ξ, the next at α·ξ², …, the bottom
of L blocks at α·ξ^L, the embeddings at α·ξ^(L+1). Parts are those of ``list_module_groups``. Of
ALBERT, whose layers share their weights, L is the number of blocks of weights, which is one as
a rule.

Weight decay of either kind spares biases and the parameters of normalisations (Devlin et al.
2019).
"""

from dataclasses import dataclass
from itertools import groupby

from torch import nn
from transformers import PreTrainedModel

from shared.recipe import Recipe
from worker.training.model.module_groups import is_bias, is_normalisation, list_module_groups


@dataclass(frozen=True)
class ParameterGroup:
    parameters: list[nn.Parameter]
    rate_scale: float
    """The group's rate over the schedule's."""
    has_weight_decay: bool


def build_parameter_groups(network: nn.Module, recipe: Recipe) -> list[ParameterGroup]:
    """Every parameter that is trained, in exactly one group; the full rate's groups come first,
    what decays before what is spared.

    Without layer-wise decay this asks nothing of the network; with it, the network must be of a
    known family.
    """
    scales = compute_layerwise_scales(network, recipe.layerwise_learning_rate_decay)
    spared = find_undecayed_parameters(network)

    def get_sort_key(parameter: nn.Parameter) -> tuple[float, bool]:
        return -scales.get(parameter, 1.0), parameter in spared

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        ParameterGroup(list(members), rate_scale=-negative_scale, has_weight_decay=not is_spared)
        for (negative_scale, is_spared), members in groupby(
            sorted(trained, key=get_sort_key), get_sort_key
        )
    ]


def compute_layerwise_scales(network: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Each parameter's rate over the head's; empty for a decay of 1, which is one rate for all."""
    if decay == 1.0:
        return {}
    assert isinstance(network, PreTrainedModel), (
        "only an encoder of a known family has layers to tell apart"
    )
    parts = list_module_groups(network)
    blocks = sum(part.name.startswith("block") for part in parts)
    # parts come from the bottom: embeddings, L blocks, then the pooler and the head, which
    # share the full rate
    depths = [max(0, blocks + 1 - index) for index in range(len(parts))]
    return {
        parameter: decay**depth
        for part, depth in zip(parts, depths, strict=True)
        for parameter in part.parameters.values()
    }


def find_undecayed_parameters(network: nn.Module) -> set[nn.Parameter]:
    """Biases and the parameters of normalisations."""
    return {
        parameter
        for module_name, module in network.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if is_normalisation(module) or is_bias(f"{module_name}.{name}")
    }
