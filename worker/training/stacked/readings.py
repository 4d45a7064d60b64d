"""What a step has to tell, brought from the device in one transfer for all seeds, and on a GPU not waited for."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.training.stacked.seed import Seed


@dataclass(frozen=True)
class Reading:
    step: int
    rate: float
    seeds: Sequence[Seed]
    """Those that were in the stack at that step."""
    parts: Sequence[str]
    numbers: Tensor
    """On the host once ``arrived``; of shape (2 + parts, K): loss, norm of the gradient, norms by part."""
    arrived: torch.cuda.Event | None

    def by_seed(self) -> Iterator[tuple[Seed, float, float, dict[str, float]]]:
        if self.arrived is not None:
            self.arrived.synchronize()
        for seed, (loss, norm, *by_part) in zip(self.seeds, self.numbers.T.tolist(), strict=True):
            yield seed, loss, norm, dict(zip(self.parts, by_part, strict=True))


class Readings:
    """Steps whose numbers are under way. On a GPU a step's are read when the next has been given to it, so that it never waits for us."""

    def __init__(self, device: torch.device) -> None:
        self._behind = 1 if device.type == "cuda" else 0
        self._waiting: deque[Reading] = deque()

    def send(
        self, step: int, rate: float, seeds: Sequence[Seed], losses: Tensor, norms: Tensor, by_part: dict[str, Tensor]
    ) -> None:
        numbers = torch.stack([losses, norms, *by_part.values()])
        arrived = None
        if numbers.is_cuda:
            on_host = torch.empty(numbers.shape, pin_memory=True)
            numbers = on_host.copy_(numbers, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._waiting.append(Reading(step, rate, tuple(seeds), tuple(by_part), numbers, arrived))

    def ready(self, *, all_of_them: bool = False) -> Iterator[Reading]:
        """Each once, in the order of the steps."""
        while len(self._waiting) > (0 if all_of_them else self._behind):
            yield self._waiting.popleft()
