"""Random streams: every random number of a run comes from a named stream.

A stream is a function of a seed and a path of names: ``stream(init_seed, "init",
"classifier.weight")``. So no draw depends on how many came before it: re-initializing one block
more leaves the draws of the other blocks unchanged, and a run that resumes at step 70 needs no
generator state to drop out the same units as a run that never stopped.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch.utils import deterministic


def stream_seed(seed: int, *names: str | int) -> int:
    """Return 63 bits that differ for every seed and every path of names."""
    path = "/".join(str(part) for part in (seed, *names))
    # manual_seed takes a signed 64-bit number
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8]) >> 1


def stream(seed: int, *names: str | int) -> torch.Generator:
    """Return the generator of a path of names.

    It is on the CPU, so that draws are the same whichever device the run is on.
    """
    return torch.Generator().manual_seed(stream_seed(seed, *names))


def init_stream(init_seed: int, parameter: str) -> torch.Generator:
    """Return the generator that draws one new parameter, by its full name in the network."""
    return stream(init_seed, "init", parameter)


def order_stream(data_seed: int, epoch: int) -> torch.Generator:
    """Return the generator that shuffles the rows of one epoch (from 0)."""
    return stream(data_seed, "order", epoch)


def seed_dropout(data_seed: int, step: int) -> None:
    """Seed torch's global generators, which dropout draws from, for one step (from 1)."""
    _seed_generators(stream_seed(data_seed, "dropout", step))


def seed_dropout_of_stack(data_seeds: Sequence[int], step: int) -> None:
    """Seed the dropout of a stack, which draws for all of its runs at once.

    The draw is a function of the seeds in the stack.
    """
    _seed_generators(stream_seed(data_seeds[0], "stack", *data_seeds[1:], "dropout", step))


def _seed_generators(seed: int) -> None:
    """Seed like ``torch.manual_seed``, which spends 0.4 ms on devices that are not in use."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def make_deterministic(threads: int, device: str) -> None:
    """Set the process up for reproducible results: the threads of reductions and the kernels."""
    torch.set_num_threads(threads)
    # on a GPU results are reproducible within a tolerance only: deterministic kernels are slow
    torch.use_deterministic_algorithms(device == "cpu")
    # full float32, so that scores equal those of plain transformers; bfloat16 is the fast choice
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    # a debugging aid of the deterministic mode that costs a pass over every new tensor
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
