"""What a step has to tell of every seed: one transfer from the device, read late on a GPU
(``worker.training.async_metrics``).
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from worker.training.async_metrics import READ_DELAY_STEPS
from worker.training.device import AsyncTransfer
from worker.training.multi_seed.seed import SeedRun


class StackStepMetrics(NamedTuple):
    step: int
    rate: float
    seeds: tuple[SeedRun, ...]
    """Those that were in the stack at that step."""
    group_names: tuple[str, ...]
    numbers: AsyncTransfer
    """Of shape (2 + parts, K): loss, norm of the gradient, norms by part."""

    def iterate_seeds(self) -> Iterator[tuple[SeedRun, float, float, dict[str, float]]]:
        """Loss, norm and norms by part; waits for the device where it is not so far yet."""
        for seed, (loss, norm, *by_part) in zip(
            self.seeds, self.numbers.wait_for_numbers().T.tolist(), strict=True
        ):
            yield seed, loss, norm, dict(zip(self.group_names, by_part, strict=True))


class StackMetricsQueue:
    """The steps that are not told yet, in their order."""

    def __init__(self, device: torch.device) -> None:
        self._delay = READ_DELAY_STEPS if device.type == "cuda" else 0
        self._pending: deque[StackStepMetrics] = deque()

    def send_metrics(
        self,
        step: int,
        rate: float,
        seeds: Sequence[SeedRun],
        losses: Tensor,
        norms: Tensor,
        group_norms: Mapping[str, Tensor],
    ) -> None:
        """``losses``, ``norms`` and those of each part are of shape (K,)."""
        numbers = torch.stack([losses.detach(), norms, *group_norms.values()])
        self._pending.append(
            StackStepMetrics(step, rate, tuple(seeds), tuple(group_norms), AsyncTransfer(numbers))
        )

    def take_due_steps(self) -> Iterator[StackStepMetrics]:
        """Those that are to be told by now."""
        while len(self._pending) > self._delay:
            yield self._pending.popleft()

    def take_remaining_steps(self) -> Iterator[StackStepMetrics]:
        """All, which waits for the device."""
        while self._pending:
            yield self._pending.popleft()
