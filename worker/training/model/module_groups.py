"""Module groups of a network from the bottom up: embeddings, blocks, pooler, head.

Every parameter is in exactly one group. Layer-wise rates, gradient norms and distances from the
start are per group. The family's row in ``shared.encoders.families`` has the module paths.
"""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from shared.encoders.families import FAMILIES, Family
from worker.training.errors import BaseModelUnreadable
from worker.training.model.pooled_classifier import PooledClassifier


@dataclass(frozen=True)
class ModuleGroup:
    """Modules of one depth, with their parameters."""

    name: str
    """``embeddings``, ``block 0`` (the bottom block), …, ``pooler`` or ``head``."""
    module_paths: tuple[str, ...]
    """Paths of the group's modules."""
    parameters: dict[str, nn.Parameter]
    """Parameters by their full names in the network."""


def get_family(network: PreTrainedModel) -> Family:
    """Return the network's family. Raise BaseModelUnreadable if it is not supported."""
    if isinstance(network, PooledClassifier):
        return network.family
    family = FAMILIES.get(network.config.model_type)
    if family is None:
        raise BaseModelUnreadable(
            f"The encoder family {network.config.model_type!r} is not supported. "
            f"Use one of {', '.join(FAMILIES)}.",
            param="model",
        )
    return family


def get_output_layer(network: PreTrainedModel) -> nn.Linear:
    """Return the layer that gives the logits: the last linear layer of the head."""
    head = network.get_submodule(get_family(network).head[-1])
    return [module for module in head.modules() if isinstance(module, nn.Linear)][-1]


def list_block_paths(network: PreTrainedModel) -> list[str]:
    """Return the paths of the transformer blocks, bottom first.

    ALBERT's layers share their weights: its paths are those of the distinct blocks.
    """
    family = get_family(network)
    blocks = network.get_submodule(family.blocks)
    assert isinstance(blocks, nn.ModuleList), "a family's row has the path of its list of blocks"
    return [f"{family.blocks}.{index}" for index in range(len(blocks))]


def list_module_groups(network: PreTrainedModel) -> list[ModuleGroup]:
    """Return embeddings, blocks from the bottom, the pooler if the family has one, and the head.

    Raise BaseModelUnreadable if a parameter is in none of them.
    """
    layout = _list_module_paths(network)
    group_of = {path: name for name, paths in layout for path in paths}
    parameters: dict[str, dict[str, nn.Parameter]] = {name: {} for name, _ in layout}
    for full_name, parameter in network.named_parameters():
        ancestors = _list_ancestor_paths(full_name)
        owner = next((group_of[path] for path in ancestors if path in group_of), None)
        if owner is None:
            family = network.config.model_type
            raise BaseModelUnreadable(
                f"{full_name} belongs to no known module of the family {family}.", param="model"
            )
        parameters[owner][full_name] = parameter
    return [ModuleGroup(name, paths, parameters[name]) for name, paths in layout]


def _list_module_paths(network: PreTrainedModel) -> list[tuple[str, tuple[str, ...]]]:
    """Return the name and the module paths of each group, from the bottom up."""
    family = get_family(network)
    blocks = list_block_paths(network)
    return [
        ("embeddings", family.embeddings),
        *((f"block {index}", (path,)) for index, path in enumerate(blocks[:-1])),
        (f"block {len(blocks) - 1}", (blocks[-1], *family.top)),
        *([("pooler", (family.pooler,))] if family.pooler else []),
        ("head", family.head),
    ]


def _list_ancestor_paths(full_name: str) -> list[str]:
    """Return the paths of the modules that contain a parameter, the innermost first."""
    names = full_name.split(".")[:-1]
    return [".".join(names[:count]) for count in range(len(names), 0, -1)]


def is_bias(full_name: str) -> bool:
    """Return whether a parameter is a bias or a table of biases.

    MPNet's ``relative_attention_bias`` is such a table.
    """
    return full_name.removesuffix(".weight").endswith("bias")


def is_normalization(module: nn.Module) -> bool:
    """Return whether a module is a normalization, by its class name.

    Some families have norms that do not subclass torch's, such as ``DebertaLayerNorm``.
    """
    return type(module).__name__.endswith("Norm")
