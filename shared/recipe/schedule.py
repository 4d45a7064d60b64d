"""The learning-rate schedule and the evaluation steps of a run. Steps count from 1 to T."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LinearSchedule:
    """Linear warm-up from zero, then linear decay to zero.

    Equals ``get_linear_schedule_with_warmup`` of transformers: the rate of the first update is
    zero, that of update T is still above zero.
    """

    peak: float
    warmup_steps: int
    total_steps: int

    def compute_rate(self, step: int) -> float:
        """Return the learning rate of update ``step`` (from 1)."""
        done = step - 1
        if done < self.warmup_steps:
            return self.peak * (done / self.warmup_steps)
        return self.peak * (
            (self.total_steps - done) / max(1, self.total_steps - self.warmup_steps)
        )

    def is_always_zero(self) -> bool:
        """Return whether no update has a rate, as if the only one begins the warm-up."""
        return not any(self.compute_rate(step) for step in range(1, self.total_steps + 1))


def create_linear_schedule(peak: float, warmup_ratio: float, total_steps: int) -> LinearSchedule:
    """Create the schedule; the number of warm-up steps is rounded up, as ``Trainer`` does."""
    return LinearSchedule(peak, math.ceil(total_steps * warmup_ratio), total_steps)


def list_evaluation_steps(total_steps: int, points: int) -> list[int]:
    """Return the steps ceil(i·T/k) for i = 1 … k, without duplicates; the last one is T."""
    return sorted({-(-index * total_steps // points) for index in range(1, points + 1)})
