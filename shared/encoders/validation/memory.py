"""Bound on the memory that a trainer needs for a model, before its rows are known.

``shared.encoders.training_memory`` estimates the peak of a run.
"""

from collections.abc import Mapping

from shared.encoders.validation.errors import UnfitModel
from shared.encoders.validation.safetensors_header import Tensor

TRAINING_BYTES_PER_PARAMETER = 28
"""Seven float32 copies of the parameters: the checkpoint as read, the network, its gradient, the
two moments of AdamW, the best weights so far, and at the end the start that distances are measured
from. Libraries (about 0.5 GB) and activations, which depend on the batch and the length of the
texts, come on top; the compact vocabulary saves part of the embeddings."""
_INDEX_TYPES = ("I64", "BOOL")


def count_parameters(tensors: Mapping[str, Tensor]) -> int:
    """Return how many numbers the weights hold, without index buffers such as position_ids."""
    return sum(
        tensor.num_elements for tensor in tensors.values() if tensor.dtype not in _INDEX_TYPES
    )


def estimate_training_bytes(num_parameters: int) -> int:
    """Return the bytes that one trainer holds of a model with this many parameters."""
    return num_parameters * TRAINING_BYTES_PER_PARAMETER


def check_memory(num_parameters: int, memory_bytes: int | None) -> None:
    """Raise UnfitModel if training needs more than ``memory_bytes``; None for no limit."""
    needed = estimate_training_bytes(num_parameters)
    if memory_bytes is not None and needed > memory_bytes:
        raise UnfitModel(
            f"has {num_parameters / 1e6:,.0f} million parameters, and a trainer needs about "
            f"{needed / 1e9:,.1f} GB for it but has {memory_bytes / 1e9:,.1f} GB. Choose a "
            "smaller model, or raise EVENKEEL_TRAINER_MEMORY_BYTES if the workers have more."
        )
