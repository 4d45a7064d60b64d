"""Early discard: start many seeds, stop the less promising partway, continue the best.

After Dodge et al. 2020, section 5. Every run trains with the schedule of its full length, so a
run that continues ends as if it had never waited.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated

from pydantic import Field

from shared.domain.stored import StoredModel


class DiscardSettings(StoredModel):
    """The requested early discard, as in ``Job.early_discard`` until it is decided."""

    start: int
    """Number of runs to start."""
    keep: int
    """Number of runs to continue."""
    at_fraction: float
    """Share of the steps after which the runs wait for the decision."""


class DecidedDiscard(DiscardSettings):
    """A decided early discard: which runs continue, and how that changes the mean.

    Selection alone raises the mean.
    """

    at_step: int | None = None
    """The step of the decision; None if no run reached it."""
    kept: list[int]
    """Indices of the runs that continue."""
    mean_at_rung_all: float | None = None
    """Mean validation score of all waiting runs at the step of the decision."""
    mean_at_rung_kept: float | None = None
    """Mean validation score of the kept runs at that step."""


StoredDiscard = Annotated[DecidedDiscard | DiscardSettings, Field(union_mode="left_to_right")]
"""An early discard as in ``Job.early_discard``."""


@dataclass(frozen=True)
class WaitingRun:
    """A run that waits for the decision, with its validation score at that step."""

    index: int
    score: float | None
    degenerate: bool


def compute_decision_step(at_fraction: float, max_steps: int) -> int:
    """Return the step after which the runs wait: ceil(at_fraction · T), and before the last."""
    return max(1, min(math.ceil(at_fraction * max_steps), max_steps - 1))


def count_full_runs(settings: DiscardSettings | None, runs: int) -> float:
    """Return how many runs of full length take as many steps as ``runs`` runs with the discard."""
    if settings is None:
        return runs
    kept = min(settings.keep, runs)
    return kept + (runs - kept) * settings.at_fraction


def select_kept_runs(waiting: Sequence[WaitingRun], keep_count: int) -> list[int]:
    """Return the indices of the ``keep_count`` best runs by score, ascending.

    Degenerate and undefined scores rank last; of equal scores the lower index wins.
    """

    def get_rank(run: WaitingRun) -> tuple[bool, float, int]:
        is_sound = run.score is not None and not run.degenerate
        return not is_sound, -(run.score if run.score is not None else -math.inf), run.index

    return sorted(run.index for run in sorted(waiting, key=get_rank)[:keep_count])


def decide_discard(
    settings: DiscardSettings, waiting: Sequence[WaitingRun], at_step: int | None
) -> DecidedDiscard:
    """Return the decision at this step: the best runs are kept."""
    kept_indices = select_kept_runs(waiting, settings.keep)
    return DecidedDiscard(
        start=settings.start,
        keep=settings.keep,
        at_fraction=settings.at_fraction,
        at_step=at_step,
        kept=kept_indices,
        mean_at_rung_all=_average_scores(waiting),
        mean_at_rung_kept=_average_scores([run for run in waiting if run.index in kept_indices]),
    )


def _average_scores(waiting: Sequence[WaitingRun]) -> float | None:
    scores = [run.score for run in waiting if run.score is not None]
    return fmean(scores) if scores else None
