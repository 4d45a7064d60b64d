"""The parts of a network from the bottom up: embeddings, blocks, pooler, head; each parameter
in exactly one.

What goes by depth (layer-wise rates, gradient norms, distances from the start) goes by these
parts. Where a family keeps them is said by its row in ``shared.encoders.families``.
"""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from shared.encoders.families import FAMILIES, Family
from worker.training.errors import BaseModelUnreadable


@dataclass(frozen=True)
class ModuleGroup:
    name: str
    """``embeddings``, ``block 0`` (the bottom one), …, ``pooler`` or ``head``."""
    module_paths: tuple[str, ...]
    """Paths of the modules that make it up."""
    parameters: dict[str, nn.Parameter]
    """By their full names in the network."""


def get_family(network: PreTrainedModel) -> Family:
    """Raises BaseModelUnreadable for a family that has no row in ``shared.encoders.families``."""
    family = FAMILIES.get(network.config.model_type)
    if family is None:
        raise BaseModelUnreadable(
            f"No family {network.config.model_type!r} is known; there are {', '.join(FAMILIES)}.",
            param="model",
        )
    return family


def list_block_paths(network: PreTrainedModel) -> list[str]:
    """Paths of the transformer blocks, bottom first; of ALBERT, of its blocks of weights, which
    several layers use.
    """
    family = get_family(network)
    blocks = network.get_submodule(family.blocks)
    assert isinstance(blocks, nn.ModuleList), "a family's row names the list of its blocks"
    return [f"{family.blocks}.{index}" for index in range(len(blocks))]


def list_module_groups(network: PreTrainedModel) -> list[ModuleGroup]:
    """Embeddings, blocks from the bottom, the pooler where the family has one, the head.

    Raises BaseModelUnreadable if a parameter lies in none of them: a family's row must account
    for all.
    """
    family = get_family(network)
    blocks = list_block_paths(network)
    layout: list[tuple[str, tuple[str, ...]]] = [
        ("embeddings", family.embeddings),
        *((f"block {index}", (path,)) for index, path in enumerate(blocks[:-1])),
        (f"block {len(blocks) - 1}", (blocks[-1], *family.top)),
        *([("pooler", (family.pooler,))] if family.pooler else []),
        ("head", family.head),
    ]
    part_of = {path: name for name, paths in layout for path in paths}
    found: dict[str, dict[str, nn.Parameter]] = {name: {} for name, _ in layout}
    for full_name, parameter in network.named_parameters():
        owner = next(
            (part_of[path] for path in _list_ancestor_paths(full_name) if path in part_of), None
        )
        if owner is None:
            raise BaseModelUnreadable(
                f"{full_name} is in no part of a {family.model_type} that is known here.",
                param="model",
            )
        found[owner][full_name] = parameter
    return [ModuleGroup(name, paths, found[name]) for name, paths in layout]


def _list_ancestor_paths(full_name: str) -> list[str]:
    """Paths of the modules above a parameter, the nearest first."""
    names = full_name.split(".")[:-1]
    return [".".join(names[:count]) for count in range(len(names), 0, -1)]


def is_bias(full_name: str) -> bool:
    """Whether a parameter is added, not multiplied: a bias, or a table of biases (MPNet's
    ``relative_attention_bias``).
    """
    return full_name.removesuffix(".weight").endswith("bias")


def is_normalisation(module: nn.Module) -> bool:
    """By the name of the class: some families have norms of their own that are no subclass of
    torch's (``DebertaLayerNorm``).
    """
    return type(module).__name__.endswith("Norm")
