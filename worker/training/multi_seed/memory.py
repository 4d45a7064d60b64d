"""How many seeds fit side by side: one is built and made to pass once, and what it takes is
counted.

    a seed's bytes = weights + moments + starting weights + gradients + replica and its gradients + best checkpoint + activations

Counting what a pass of the family's own code saves for its backward needs no constant a family,
and sees what the recipe adds (mixout) and what precision and attention save. What it cannot
see, the backward's own temporaries and the allocator's cuttings, is allowed for by shares;
where that is still too little, the stack is halved on the way.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split
from worker.training.multi_seed.stack import SeedStack

TEMPORARIES_FACTOR = 1.25  # of the activations: what a backward needs beside what was saved for it
USABLE_SHARE = 0.9  # of the free memory: the rest is lost between blocks of the allocator


def choose_stack_size(free_bytes: int, seed_bytes: int, count: int) -> int:
    """How many of ``count`` seeds of ``need`` bytes go side by side in ``free`` bytes; at least
    1, and evenly where they need turns.
    """
    most = max(1, int(USABLE_SHARE * free_bytes) // seed_bytes)
    return math.ceil(count / math.ceil(count / most))


def get_free_bytes(device: torch.device) -> int:
    """Of a GPU: what the driver has and what this process keeps unused."""
    torch.cuda.empty_cache()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


def estimate_seed_bytes(stack: SeedStack) -> int:
    """Bytes that a seed takes at most, from a stack of one."""
    recipe = stack.seeds[0].spec.recipe
    masters = list(stack.network.parameters())
    own = set(masters)
    replica = [
        parameter for parameter in stack.compute_weights.module.parameters() if parameter not in own
    ]
    kept = (
        _sum_bytes(stack.iterate_tensors()) + _sum_bytes(masters) + 2 * _sum_bytes(replica)
    )  # … and a gradient to each weight
    if recipe.select == "best_checkpoint":
        kept += _sum_bytes(masters)
    longest = list_longest_rows(stack.splits.train, recipe.train_batch_size)
    return kept + int(TEMPORARIES_FACTOR * measure_activation_bytes(stack, longest))


def list_longest_rows(train: Split, count: int) -> list[int]:
    """The batch that takes most."""
    rows = [row for batch in iterate_batches_by_length(train.rows, train.text) for row in batch]
    return rows[:count]


def measure_activation_bytes(stack: SeedStack, rows: list[int]) -> int:
    """What a training pass of these rows in every seed keeps for its backward, weights apart."""
    weights = {
        tensor.untyped_storage().data_ptr() for tensor in stack.compute_weights.module.parameters()
    }
    storages: dict[int, Tensor] = {}

    def record_storage(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in weights:
            storages[place] = tensor  # held, so that its place is nobody else's
        return tensor

    stack.forward.train()
    with torch.autograd.graph.saved_tensors_hooks(record_storage, lambda tensor: tensor):
        logits = stack.forward(
            stack.forward.build_batch(stack.splits.train.text, [rows] * len(stack.seeds))
        )
        del logits
    return sum(tensor.untyped_storage().nbytes() for tensor in storages.values())


def _sum_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
