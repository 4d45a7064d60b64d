"""What a step has to tell, on its way from the device to the host.

On a GPU the host hands out work ahead of the device. To read a step's loss it would have to wait until the device has come so far, and
the device then for the host's next work. So numbers are sent off when they are made and read a step or two later, when they have long
arrived. On a CPU nothing is on its way, and each step's are read at once.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from worker.training.device import Arriving
from worker.training.errors import Diverged
from worker.training.events import Step

DELAY = 2
"""Steps on a GPU between making the numbers of a step and reading them."""


class _Sent(NamedTuple):
    step: int
    rate: float
    parts: tuple[str, ...]
    numbers: Arriving
    """The loss, the gradient's norm, its norm by part."""


class Readings:
    """The steps that are not told yet, in their order."""

    def __init__(self, delay: int) -> None:
        """``delay``: how many of the latest steps are left unread."""
        self._delay = delay
        self._sent: deque[_Sent] = deque()

    def send(
        self, step: int, rate: float, loss: Tensor, norm: Tensor, by_part: Mapping[str, Tensor]
    ) -> None:
        numbers = torch.stack([loss.detach(), norm, *by_part.values()])
        self._sent.append(_Sent(step, rate, tuple(by_part), Arriving(numbers)))

    def due(self) -> Iterator[Step]:
        """Those that are to be told by now. Raises Diverged at one whose loss or gradient is no finite number."""
        while len(self._sent) > self._delay:
            yield _told(self._sent.popleft())

    def rest(self) -> Iterator[Step]:
        """All, which waits for the device. Raises Diverged likewise."""
        while self._sent:
            yield _told(self._sent.popleft())


def _told(sent: _Sent) -> Step:
    train_loss, grad_norm, *by_part = sent.numbers.read().tolist()
    if not (math.isfinite(train_loss) and math.isfinite(grad_norm)):
        raise Diverged(f"at step {sent.step}", train_loss, grad_norm)
    norms = dict(zip(sent.parts, by_part, strict=True))
    return Step(
        step=sent.step,
        train_loss=train_loss,
        learning_rate=sent.rate,
        grad_norm=grad_norm,
        part_grad_norms=norms,
    )
