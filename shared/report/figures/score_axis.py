"""Horizontal axis of the scores' figure: its range, and where a score lies on it in pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.report.schemas import StabilityReport
from shared.report.score_range import clip_score_interval, get_score_range

TitledReports = Sequence[tuple[str, StabilityReport]]
"""Title and report of each job, which share metric and split."""

AXIS_TICKS = 7
MIN_SPAN = 0.1  # of the axis, in the metric


@dataclass(frozen=True)
class ScoreAxis:
    low: float
    high: float
    width: float
    """Length in pixels."""
    ticks: tuple[float, ...] = (0.0, 0.5, 1.0)
    """Labeled scores: round ones that the metric can take. The axis itself may extend beyond its
    range, so that marks at its ends are drawn whole.
    """

    @property
    def domain(self) -> list[float]:
        return [self.low, self.high]

    def get_pixel(self, score: float) -> float:
        """Return the score's distance from the left end."""
        return self.width * (score - self.low) / (self.high - self.low)


def build_score_axis(reports: TitledReports, width: float) -> ScoreAxis:
    """Cover everything drawn, with some margin and wide enough for equal scores; ends within the
    metric's range are round numbers.
    """
    values = [value for _, report in reports for value in _list_drawn_values(report)]
    if not values:
        return ScoreAxis(0.0, 1.0, width)
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), (MIN_SPAN - (high - low)) / 2)
    step = _choose_step(high - low + 2 * margin)
    first, last = math.floor((low - margin) / step), math.ceil((high + margin) / step)
    floor, ceiling = get_score_range(reports[0][1].metric)
    ticks = [round(index * step, 12) for index in range(first, last + 1)]
    return ScoreAxis(
        low=ticks[0] if ticks[0] >= floor else low - margin,
        high=ticks[-1] if ticks[-1] <= ceiling else high + margin,
        width=width,
        ticks=tuple(tick for tick in ticks if floor <= tick <= ceiling),
    )


def clip_mean_interval(report: StabilityReport) -> tuple[float, float]:
    """Return the mean's interval within the metric's range, which reports of earlier versions
    exceed; without an interval, the mean itself.
    """
    mean = report.mean or 0.0
    return clip_score_interval(report.ci95 or (mean, mean), report.metric, mean)


def _list_drawn_values(report: StabilityReport) -> list[float]:
    interval = clip_mean_interval(report) if report.ci95 else ()
    baselines = (base.score for base in report.baselines)
    values = (report.min, report.max, *interval, *baselines)
    return [value for value in values if value is not None]


def _choose_step(span: float) -> float:
    """Return the distance between two ticks: 1, 2 or 5 times a power of ten."""
    raw = span / AXIS_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
