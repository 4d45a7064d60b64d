"""Early discard: start many seeds, stop the less promising part-way, continue the best (Dodge
et al. 2020, section 5).

The runs train with the schedule of their full length, so those that go on end as if they had
never waited.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any


@dataclass(frozen=True)
class Waiting:
    """A run that waits at the step of the decision, with its validation score there."""

    index: int
    score: float | None
    degenerate: bool


def decision_step(at_fraction: float, max_steps: int) -> int:
    """After which step the runs wait: ceil(at_fraction · T), and before the last."""
    return max(1, min(math.ceil(at_fraction * max_steps), max_steps - 1))


def kept(waiting: Sequence[Waiting], keep: int) -> list[int]:
    """Indices of the ``keep`` best by score, ascending; of equal ones the lower index, a
    degenerate or undefined score last.
    """

    def rank(run: Waiting) -> tuple[bool, float, int]:
        sound = run.score is not None and not run.degenerate
        return not sound, -(run.score if run.score is not None else -math.inf), run.index

    return sorted(run.index for run in sorted(waiting, key=rank)[:keep])


def outcome(waiting: Sequence[Waiting], indices: Sequence[int]) -> dict[str, Any]:
    """What the decision was, and what it does to the mean: selection alone raises it."""
    return {
        "kept": list(indices),
        "mean_at_rung_all": _mean(waiting),
        "mean_at_rung_kept": _mean([run for run in waiting if run.index in indices]),
    }


def _mean(waiting: Sequence[Waiting]) -> float | None:
    scores = [run.score for run in waiting if run.score is not None]
    return fmean(scores) if scores else None
