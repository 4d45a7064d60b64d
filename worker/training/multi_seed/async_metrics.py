"""Step metrics of all seeds of a stack, in one transfer from the device per step.

See ``worker.training.async_metrics`` for the delay on a GPU.
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
    """Metrics of one step, for every seed in the stack at that step."""

    step: int
    rate: float
    seeds: tuple[SeedRun, ...]
    group_names: tuple[str, ...]
    numbers: AsyncTransfer
    """Of shape (2 + groups, K): loss, gradient norm, gradient norm of each module group."""

    def iterate_seeds(self) -> Iterator[tuple[SeedRun, float, float, dict[str, float]]]:
        """Yield each seed with its loss, norm and norms by group; may wait for the device."""
        for seed, (loss, norm, *group_norms) in zip(
            self.seeds, self.numbers.wait_for_numbers().T.tolist(), strict=True
        ):
            yield seed, loss, norm, dict(zip(self.group_names, group_norms, strict=True))


class StackMetricsQueue:
    """Queue of the steps that are not reported yet, in order."""

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
        """Start the transfer of a step's metrics, each of shape (K,)."""
        numbers = torch.stack([losses.detach(), norms, *group_norms.values()])
        self._pending.append(
            StackStepMetrics(step, rate, tuple(seeds), tuple(group_norms), AsyncTransfer(numbers))
        )

    def take_due_steps(self) -> Iterator[StackStepMetrics]:
        """Yield the steps older than the delay."""
        while len(self._pending) > self._delay:
            yield self._pending.popleft()

    def take_remaining_steps(self) -> Iterator[StackStepMetrics]:
        """Yield all steps, waiting for the device."""
        while self._pending:
            yield self._pending.popleft()
