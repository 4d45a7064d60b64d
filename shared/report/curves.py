"""Learning curves of all seeds: quartiles at every evaluation, and the effect of a discard."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from shared.domain.early_discard import DecidedDiscard, DiscardSettings
from shared.domain.states import RunState
from shared.report.details import DiscardEffect, FanPoint, LearningCurve
from shared.report.distribution import compute_quartiles
from shared.report.schemas import Curve, RunResult


def build_learning_curve(metric: str, curves: Sequence[Curve]) -> LearningCurve | None:
    """Compute minimum, quartiles and maximum at every evaluated step; None without evaluations."""
    at_step: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        for step, value in curve:
            at_step[step].append(value)
    points = []
    for step, values in sorted(at_step.items()):
        values.sort()
        q1, median, q3 = compute_quartiles(values)
        points.append(
            FanPoint(
                step=step, n=len(values), min=values[0], q1=q1, median=median, q3=q3, max=values[-1]
            )
        )
    return LearningCurve(metric=metric, points=points) if points else None


def measure_discard_effect(
    runs: Sequence[RunResult], discard: DiscardSettings
) -> DiscardEffect | None:
    """Compute the effect of an early discard; None before runs were discarded.

    ``discard`` has ``start``, the number of runs that began, and after the decision ``at_step``,
    the step whose score decided which runs were kept.
    """
    step = discard.at_step if isinstance(discard, DecidedDiscard) else None
    started = list(runs[: discard.start])
    discarded = [run for run in started if run.status == RunState.DISCARDED]
    if step is None or not discarded:
        return None
    kept = [run for run in started if run.status not in {RunState.DISCARDED, RunState.CANCELLED}]
    mean_started = _compute_mean_at_step(step, [*kept, *discarded])
    mean_kept = _compute_mean_at_step(step, kept)
    return DiscardEffect(
        started=len(started),
        discarded=len(discarded),
        kept=len(kept),
        step=step,
        mean_started=mean_started,
        mean_kept=mean_kept,
        difference=None if mean_started is None or mean_kept is None else mean_kept - mean_started,
    )


def _compute_mean_at_step(step: int, runs: Sequence[RunResult]) -> float | None:
    scores = [value for run in runs for at, value in run.curve if at == step]
    return statistics.fmean(scores) if scores else None
