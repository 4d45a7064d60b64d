"""What a step has to tell of every seed: one transfer from the device, read late on a GPU (``worker.training.async_metrics``)."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from worker.training.async_metrics import DELAY
from worker.training.device import Arriving
from worker.training.multi_seed.seed import Seed


class Reading(NamedTuple):
    step: int
    rate: float
    seeds: tuple[Seed, ...]
    """Those that were in the stack at that step."""
    parts: tuple[str, ...]
    numbers: Arriving
    """Of shape (2 + parts, K): loss, norm of the gradient, norms by part."""

    def by_seed(self) -> Iterator[tuple[Seed, float, float, dict[str, float]]]:
        """Loss, norm and norms by part; waits for the device where it is not so far yet."""
        for seed, (loss, norm, *by_part) in zip(
            self.seeds, self.numbers.read().T.tolist(), strict=True
        ):
            yield seed, loss, norm, dict(zip(self.parts, by_part, strict=True))


class Readings:
    """The steps that are not told yet, in their order."""

    def __init__(self, device: torch.device) -> None:
        self._delay = DELAY if device.type == "cuda" else 0
        self._sent: deque[Reading] = deque()

    def send(
        self,
        step: int,
        rate: float,
        seeds: Sequence[Seed],
        losses: Tensor,
        norms: Tensor,
        by_part: Mapping[str, Tensor],
    ) -> None:
        """``losses``, ``norms`` and those of each part are of shape (K,)."""
        numbers = torch.stack([losses.detach(), norms, *by_part.values()])
        self._sent.append(Reading(step, rate, tuple(seeds), tuple(by_part), Arriving(numbers)))

    def due(self) -> Iterator[Reading]:
        """Those that are to be told by now."""
        while len(self._sent) > self._delay:
            yield self._sent.popleft()

    def rest(self) -> Iterator[Reading]:
        """All, which waits for the device."""
        while self._sent:
            yield self._sent.popleft()
