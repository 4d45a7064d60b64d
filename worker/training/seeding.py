"""Every random number of a run comes from a named stream, and a stream is a function of the
run's seeds alone.

A stream is known by a seed and a path of names: ``stream(init_seed, "init",
"classifier.weight")``. So no draw depends on how many came before it: re-initialising one block
more leaves the other blocks' draws as they were, and a run that goes on at step 70 needs no
state of any generator to drop out the same units as one that never stopped.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch.utils import deterministic


def stream_seed(seed: int, *names: str | int) -> int:
    """63 bits that differ for every seed and every path of names."""
    path = "/".join(str(part) for part in (seed, *names))
    return (
        int.from_bytes(hashlib.sha256(path.encode()).digest()[:8]) >> 1
    )  # manual_seed takes a signed 64-bit number


def stream(seed: int, *names: str | int) -> torch.Generator:
    """A generator of its own for a path of names; on the CPU, so that a draw is the same
    whichever device the run is on.
    """
    return torch.Generator().manual_seed(stream_seed(seed, *names))


def init_stream(init_seed: int, parameter: str) -> torch.Generator:
    """Draws one new parameter, by its full name in the network."""
    return stream(init_seed, "init", parameter)


def order_stream(data_seed: int, epoch: int) -> torch.Generator:
    """Shuffles the rows of one epoch (from 0)."""
    return stream(data_seed, "order", epoch)


def seed_dropout(data_seed: int, step: int) -> None:
    """Set torch's global generators, which dropout draws from, for one step (from 1)."""
    _seed_generators(stream_seed(data_seed, "dropout", step))


def seed_dropout_of_stack(data_seeds: Sequence[int], step: int) -> None:
    """The same for runs that are trained side by side, whose draws are one draw: a function of
    who is in the stack.
    """
    _seed_generators(stream_seed(data_seeds[0], "stack", *data_seeds[1:], "dropout", step))


def _seed_generators(seed: int) -> None:
    """As ``torch.manual_seed``, which notes the caller's stack for the devices that are not in
    use: 0.4 ms.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def make_deterministic(threads: int, device: str) -> None:
    """Settings of the process on which the bitwise promise rests: how reductions are split, and
    which kernels may run.
    """
    torch.set_num_threads(threads)
    # on a GPU the promise is a tolerance, and the deterministic kernels are slow
    torch.use_deterministic_algorithms(device == "cpu")
    # float32 means float32: scores are to be what plain transformers gives; who wants speed on
    # a GPU has bfloat16
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    # a debugging aid that comes with them and costs a pass over every new tensor
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
