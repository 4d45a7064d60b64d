"""Estimate of how many seeds fit into memory side by side, from a stack of one seed.

    bytes of a seed = weights + moments + initial weights + gradients
                      + replica and its gradients + best checkpoint + activations

Measuring what a pass of the family's own code saves for its backward pass needs no constants per
family, and covers what the recipe (mixout), the precision and attention add. Two factors allow for
what it cannot see: temporaries of the backward pass and fragmentation in the allocator. If that is
still too little, the stack is halved during training.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split
from worker.training.multi_seed.stack import SeedStack

TEMPORARIES_FACTOR = 1.25
"""Memory of a backward pass relative to the activations saved for it."""
USABLE_SHARE = 0.9
"""Share of the free memory that the allocator can use; the rest is lost to fragmentation."""


def choose_stack_size(free_bytes: int, seed_bytes: int, count: int) -> int:
    """Return how many of ``count`` seeds to train side by side, at least 1.

    If they do not all fit, the stacks are about the same size.
    """
    max_size = max(1, int(USABLE_SHARE * free_bytes) // seed_bytes)
    return math.ceil(count / math.ceil(count / max_size))


def get_free_bytes(device: torch.device) -> int:
    """Return the free memory of a GPU, including what this process has reserved but not used."""
    torch.cuda.empty_cache()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + unused


def estimate_seed_bytes(stack: SeedStack) -> int:
    """Return the most bytes that a seed takes, given a stack of one."""
    recipe = stack.seeds[0].spec.recipe
    masters = list(stack.network.parameters())
    shared = set(masters)
    replica = [
        parameter
        for parameter in stack.compute_weights.module.parameters()
        if parameter not in shared
    ]
    # iterate_tensors has weights, moments and initial weights; add a gradient per weight
    size = _sum_bytes(stack.iterate_tensors()) + _sum_bytes(masters) + 2 * _sum_bytes(replica)
    if recipe.select != "last":
        size += _sum_bytes(masters)
    longest = list_longest_rows(stack.splits.train, recipe.train_batch_size)
    return size + int(TEMPORARIES_FACTOR * measure_activation_bytes(stack, longest))


def list_longest_rows(train: Split, count: int) -> list[int]:
    """Return the ``count`` longest rows, the batch that takes the most memory."""
    rows = [row for batch in iterate_batches_by_length(train.rows, train.text) for row in batch]
    return rows[:count]


def measure_activation_bytes(stack: SeedStack, rows: list[int]) -> int:
    """Measure what a training pass of these rows saves for its backward pass, without weights."""
    weights = {
        tensor.untyped_storage().data_ptr() for tensor in stack.compute_weights.module.parameters()
    }
    storages: dict[int, Tensor] = {}

    def record_storage(tensor: Tensor) -> Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in weights:
            storages[address] = tensor  # keeps the storage alive, so its address is not reused
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
