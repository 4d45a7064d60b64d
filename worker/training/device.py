"""Handing tensors to a device, and numbers back, without waiting for it."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """From the host. A GPU fetches it when its work has come so far, which takes memory that is
    never paged out; the host goes on.
    """
    return (
        tensor.pin_memory().to(device, non_blocking=True)
        if device.type == "cuda"
        else tensor.to(device)
    )


class AsyncTransfer:
    """Numbers on their way to the host; on a CPU they are there."""

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
        """Waits for the device where it is not so far yet."""
        if self._copy_done is not None:
            self._copy_done.synchronize()
        return self._numbers
