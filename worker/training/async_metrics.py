"""What a step has to tell, on its way from the device to the host.

On a GPU the host hands out work ahead of the device. To read a step's loss it would have to
wait until the device has come so far, and the device then for the host's next work. So numbers
are sent off when they are made and read a step or two later, when they have long arrived. On a
CPU nothing is on its way, and each step's are read at once.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from worker.training.device import AsyncTransfer
from worker.training.errors import TrainingDiverged
from worker.training.events import Step

READ_DELAY_STEPS = 2
"""Steps on a GPU between making the numbers of a step and reading them."""


class _PendingStep(NamedTuple):
    step: int
    rate: float
    group_names: tuple[str, ...]
    numbers: AsyncTransfer
    """The loss, the gradient's norm, its norm by part."""


class StepMetricsQueue:
    """The steps that are not told yet, in their order."""

    def __init__(self, delay: int) -> None:
        """``delay``: how many of the latest steps are left unread."""
        self._delay = delay
        self._pending: deque[_PendingStep] = deque()

    def send_metrics(
        self, step: int, rate: float, loss: Tensor, norm: Tensor, group_norms: Mapping[str, Tensor]
    ) -> None:
        numbers = torch.stack([loss.detach(), norm, *group_norms.values()])
        self._pending.append(_PendingStep(step, rate, tuple(group_norms), AsyncTransfer(numbers)))

    def take_due_steps(self) -> Iterator[Step]:
        """Those that are to be told by now. Raises Diverged at one whose loss or gradient is no
        finite number.
        """
        while len(self._pending) > self._delay:
            yield _to_step_event(self._pending.popleft())

    def take_remaining_steps(self) -> Iterator[Step]:
        """All, which waits for the device. Raises Diverged likewise."""
        while self._pending:
            yield _to_step_event(self._pending.popleft())


def _to_step_event(pending: _PendingStep) -> Step:
    train_loss, grad_norm, *by_part = pending.numbers.wait_for_numbers().tolist()
    if not (math.isfinite(train_loss) and math.isfinite(grad_norm)):
        raise TrainingDiverged(f"at step {pending.step}", train_loss, grad_norm)
    norms = dict(zip(pending.group_names, by_part, strict=True))
    return Step(
        step=pending.step,
        train_loss=train_loss,
        learning_rate=pending.rate,
        grad_norm=grad_norm,
        part_grad_norms=norms,
    )
