"""Curves of the training of all seeds, with their mean and band: what figures and tables show."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from shared.report.figures.step_size import compute_step_excess

Points = Sequence[tuple[int, float]]
"""(step, value) by step."""
MAX_STEPS = 200
"""Steps of a curve that are shown."""


class Measure(StrEnum):
    """What a figure of the training shows."""

    TRAIN_LOSS = "train_loss"
    VALID_LOSS = "valid_loss"
    SCORE = "score"
    GRAD_NORM = "grad_norm"
    LEARNING_RATE = "learning_rate"


@dataclass(frozen=True)
class SeedLine:
    """The curve of one run."""

    name: str
    """Its seed, and its fold if it has one."""
    degenerate: bool
    points: Points


@dataclass(frozen=True)
class BandPoint:
    """All runs that have a value at one step."""

    step: int
    n: int
    mean: float
    std: float
    """Sample standard deviation (n - 1); 0 for a single run."""
    low: float
    high: float
    """Lowest and highest value."""


@dataclass(frozen=True)
class TrainingPlot:
    """One figure: a line per run, and over two runs or more their mean and band."""

    measure: Measure
    metric: str
    """The job's metric, for ``SCORE``."""
    lines: tuple[SeedLine, ...]
    band: tuple[BandPoint, ...]
    effective: Points = field(default=())
    """For a learning rate without bias correction: the rate times the step's excess."""

    @property
    def title(self) -> str:
        """What is plotted, in words."""
        return {
            Measure.TRAIN_LOSS: "training loss",
            Measure.VALID_LOSS: "validation loss",
            Measure.SCORE: f"validation {self.metric.replace('_', ' ')}",
            Measure.GRAD_NORM: "gradient norm",
            Measure.LEARNING_RATE: "learning rate",
        }[self.measure]


def build_plot(
    measure: Measure,
    metric: str,
    lines: Sequence[SeedLine],
    *,
    uncorrected_betas: tuple[float, float] | None = None,
) -> TrainingPlot | None:
    """Build a plot of the runs that have points; None if there is none.

    The learning rate follows the schedule in every run, so equal lines are shown as one.
    ``uncorrected_betas`` are those of an Adam without bias correction.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return None
    effective: Points = ()
    if measure is Measure.LEARNING_RATE:
        drawn = _merge_equal_lines(drawn)
        longest = max(drawn, key=lambda line: len(line.points)).points
        if uncorrected_betas is not None:
            effective = [
                (step, rate * compute_step_excess(step, *uncorrected_betas))
                for step, rate in longest
            ]
    return TrainingPlot(measure, metric, tuple(drawn), tuple(compute_band(drawn)), effective)


def compute_band(lines: Sequence[SeedLine]) -> list[BandPoint]:
    """Compute mean, standard deviation and extremes over the runs at every step."""
    at_step: dict[int, list[float]] = defaultdict(list)
    for line in lines:
        for step, value in line.points:
            at_step[step].append(value)
    return [
        BandPoint(
            step=step,
            n=len(values),
            mean=statistics.fmean(values),
            std=statistics.stdev(values) if len(values) > 1 else 0.0,
            low=min(values),
            high=max(values),
        )
        for step, values in sorted(at_step.items())
    ]


def _merge_equal_lines(lines: Sequence[SeedLine]) -> list[SeedLine]:
    """Keep the longest line alone if all others are its beginning."""
    longest = max(lines, key=lambda line: len(line.points))
    values = dict(longest.points)
    is_same = all(values.get(step) == value for line in lines for step, value in line.points)
    if len(lines) < 2 or not is_same:
        return list(lines)
    return [SeedLine("every seed", degenerate=False, points=longest.points)]
