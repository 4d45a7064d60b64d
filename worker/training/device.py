"""Transfer of tensors to a device, and of numbers back to the host, without waiting."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a tensor from the host to the device.

    A GPU copies it from pinned memory when it gets to it; the host does not wait.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class AsyncTransfer:
    """Numbers on their way from a device to the host."""

    def __init__(self, numbers: Tensor) -> None:
        self._numbers = numbers
        self._copy_done: torch.cuda.Event | None = None
        if numbers.is_cuda:
            self._numbers = torch.empty(numbers.shape, pin_memory=True).copy_(
                numbers, non_blocking=True
            )
            self._copy_done = torch.cuda.Event()
            self._copy_done.record()

    def wait_for_numbers(self) -> Tensor:
        """Return the numbers, waiting for the device if it has not computed them yet."""
        if self._copy_done is not None:
            self._copy_done.synchronize()
        return self._numbers
