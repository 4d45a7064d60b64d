"""Handing tensors to a device, and numbers back, without waiting for it."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """From the host. A GPU fetches it when its work has come so far, which takes memory that is never paged out; the host goes on."""
    return (
        tensor.pin_memory().to(device, non_blocking=True)
        if device.type == "cuda"
        else tensor.to(device)
    )


class Arriving:
    """Numbers on their way to the host; on a CPU they are there."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers
        self._arrived: torch.cuda.Event | None = None
        if numbers.is_cuda:
            self._numbers = torch.empty(numbers.shape, pin_memory=True).copy_(
                numbers, non_blocking=True
            )
            self._arrived = torch.cuda.Event()
            self._arrived.record()

    def read(self) -> Tensor:
        """Waits for the device where it is not so far yet."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return self._numbers
