"""Step metrics, transferred from the device without waiting for it.

On a GPU the host queues work ahead of the device. Reading a step's loss would make the host wait
for the device, and then the device for the host's next work. So the numbers of a step are sent when
they are computed and read a step or two later, when they have arrived. On a CPU every step is read
at once.
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
"""Steps on a GPU between computing the metrics of a step and reading them."""


class _PendingStep(NamedTuple):
    """A step whose metrics are on their way to the host."""

    step: int
    rate: float
    group_names: tuple[str, ...]
    numbers: AsyncTransfer
    """The loss, the gradient norm, and the gradient norm of each module group."""


class StepMetricsQueue:
    """Queue of the steps that are not reported yet, in order."""

    def __init__(self, delay: int) -> None:
        """Create a queue that leaves the latest ``delay`` steps unread."""
        self._delay = delay
        self._pending: deque[_PendingStep] = deque()

    def send_metrics(
        self, step: int, rate: float, loss: Tensor, norm: Tensor, group_norms: Mapping[str, Tensor]
    ) -> None:
        """Start the transfer of a step's metrics."""
        numbers = torch.stack([loss.detach(), norm, *group_norms.values()])
        self._pending.append(_PendingStep(step, rate, tuple(group_norms), AsyncTransfer(numbers)))

    def take_due_steps(self) -> Iterator[Step]:
        """Yield the steps older than the delay.

        Raise TrainingDiverged at a step whose loss or gradient norm is not finite.
        """
        while len(self._pending) > self._delay:
            yield _to_step_event(self._pending.popleft())

    def take_remaining_steps(self) -> Iterator[Step]:
        """Yield all steps, waiting for the device. Raise TrainingDiverged likewise."""
        while self._pending:
            yield _to_step_event(self._pending.popleft())


def _to_step_event(pending: _PendingStep) -> Step:
    train_loss, grad_norm, *group_norms = pending.numbers.wait_for_numbers().tolist()
    if not (math.isfinite(train_loss) and math.isfinite(grad_norm)):
        raise TrainingDiverged(f"at step {pending.step}", train_loss, grad_norm)
    return Step(
        step=pending.step,
        train_loss=train_loss,
        learning_rate=pending.rate,
        grad_norm=grad_norm,
        part_grad_norms=dict(zip(pending.group_names, group_norms, strict=True)),
    )
