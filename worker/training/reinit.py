"""Remedy 2: forget what the top of the encoder learnt for pre-training (Zhang et al. 2021, section 5).

The pooler and the top L blocks are drawn afresh after loading and before training; all other tensors stay the checkpoint's, bit for
bit. A block's draw depends on ``init_seed`` and the block alone, so runs that differ in L share the draws they have in common.
"""

from torch import nn
from transformers import PreTrainedModel

from worker.training.encoder import draw_module, family_of


def reinitialize(network: PreTrainedModel, *, pooler: bool, layers: int, init_seed: int) -> list[str]:
    """Draw the top ``layers`` blocks and, where the family has one, the pooler; returns the paths of the modules drawn.

    Raises ValueError if the encoder has fewer blocks.
    """
    family = family_of(network)
    blocks = network.get_submodule(family.blocks)
    if not isinstance(blocks, nn.ModuleList) or layers > len(blocks):
        raise ValueError(f"{layers} blocks are to be drawn afresh; {family.blocks} does not have so many")
    drawn = [f"{family.blocks}.{index}" for index in range(len(blocks) - layers, len(blocks))]
    if pooler and family.pooler is not None:
        drawn.append(family.pooler)
    for path in drawn:
        draw_module(network, path, init_seed)
    return drawn
