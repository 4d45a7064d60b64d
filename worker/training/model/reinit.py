"""Remedy 2: forget what the top of the encoder learnt for pre-training (Zhang et al. 2021,
section 5).

The pooler and the top L blocks are drawn afresh after loading and before training; all other
tensors stay the checkpoint's, bit for bit. A block's draw depends on ``init_seed`` and the
block alone, so runs that differ in L share the draws they have in common.
"""

from transformers import PreTrainedModel

from worker.training.model.encoder import draw_module
from worker.training.model.module_groups import get_family, list_block_paths


def reinitialize_modules(
    network: PreTrainedModel, *, pooler: bool, layers: int | list[int], init_seed: int
) -> list[str]:
    """Draw the top ``layers`` blocks, or those of a list of indices from 0 at the bottom, and
    the pooler; returns the paths of the modules drawn.

    Of ALBERT, whose layers share their weights, the blocks are its blocks of weights. Raises
    ValueError if the encoder lacks one of the blocks, or has no pooler; ``shared.recipe`` does
    not resolve to such a recipe.
    """
    family, blocks = get_family(network), list_block_paths(network)
    chosen = (
        range(len(blocks) - layers, len(blocks)) if isinstance(layers, int) else sorted(set(layers))
    )
    if any(not 0 <= index < len(blocks) for index in chosen):
        raise ValueError(
            f"blocks {layers} are to be drawn afresh; {family.blocks} has {len(blocks)}"
        )
    drawn = [blocks[index] for index in chosen]
    if pooler:
        if family.pooler is None:
            raise ValueError(f"the pooler is to be drawn afresh; a {family.model_type} has none")
        drawn.append(family.pooler)
    for path in drawn:
        draw_module(network, path, init_seed)
    return drawn
