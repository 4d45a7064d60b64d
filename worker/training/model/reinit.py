"""Re-initialization of the top of the encoder (Zhang et al. 2021, section 5), remedy 2.

The pooler and the top L blocks are drawn anew after loading and before training; all other tensors
stay the checkpoint's, bit for bit. A block's draw depends only on ``init_seed`` and the block, so
runs that differ in L share the draws they have in common.
"""

from transformers import PreTrainedModel

from worker.training.model.encoder import draw_module
from worker.training.model.module_groups import get_family, list_block_paths


def reinitialize_modules(
    network: PreTrainedModel, *, pooler: bool, layers: int | list[int], init_seed: int
) -> list[str]:
    """Draw blocks and, if asked, the pooler anew; return the paths of the drawn modules.

    ``layers`` is a number of top blocks, or a list of block indices (0 is the bottom). ALBERT's
    layers share their weights: its blocks are the distinct ones. Raise ValueError if a block or
    the pooler does not exist; ``shared.recipe`` never resolves to such a recipe.
    """
    family, drawn = get_family(network), _choose_blocks(network, layers)
    if pooler:
        if family.pooler is None:
            raise ValueError(f"cannot re-initialize the pooler: {family.model_type} has none")
        drawn.append(family.pooler)
    for path in drawn:
        draw_module(network, path, init_seed)
    return drawn


def _choose_blocks(network: PreTrainedModel, layers: int | list[int]) -> list[str]:
    """Return the paths of the blocks to draw, from the bottom."""
    blocks = list_block_paths(network)
    chosen = (
        range(len(blocks) - layers, len(blocks)) if isinstance(layers, int) else sorted(set(layers))
    )
    if any(not 0 <= index < len(blocks) for index in chosen):
        raise ValueError(
            f"cannot re-initialize blocks {layers}: {get_family(network).blocks} has "
            f"{len(blocks)} blocks"
        )
    return [blocks[index] for index in chosen]
