"""Files of named tensors (safetensors), written and read without changing a bit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor


class SupportsStateDict(Protocol):
    """A network, or one seed's view of a stack."""

    def state_dict(self) -> Mapping[str, Tensor]: ...


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Save a copy of each tensor: safetensors rejects two names for the same memory."""
    save_file(
        {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in tensors.items()
        },
        path,
    )


def load_tensors(path: Path, device: torch.device | str) -> dict[str, Tensor]:
    """Load all tensors of a file onto the device."""
    return load_file(path, device=str(device))
