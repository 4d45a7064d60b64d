"""When the rate rises and falls, and when the run is evaluated. Steps count from 1 to T."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class LinearSchedule:
    """Up from zero over the warm-up, then linearly down to zero at the end:
    ``get_linear_schedule_with_warmup`` of transformers.

    The first update's rate is zero, that of update T the last above zero, as there.
    """

    peak: float
    warmup_steps: int
    total_steps: int

    def compute_rate(self, step: int) -> float:
        """Learning rate of update ``step`` (from 1)."""
        done = step - 1
        if done < self.warmup_steps:
            return self.peak * (done / self.warmup_steps)
        return self.peak * (
            (self.total_steps - done) / max(1, self.total_steps - self.warmup_steps)
        )


def create_linear_schedule(peak: float, warmup_ratio: float, total_steps: int) -> LinearSchedule:
    """Warm-up steps are the ratio's share of all steps, rounded up as ``Trainer`` does."""
    return LinearSchedule(peak, math.ceil(total_steps * warmup_ratio), total_steps)


def list_evaluation_steps(total_steps: int, points: int) -> list[int]:
    """Evaluation i of k falls on step ceil(i·T/k), so the last on step T; fewer where there are
    fewer steps than points.
    """
    return sorted({-(-index * total_steps // points) for index in range(1, points + 1)})
