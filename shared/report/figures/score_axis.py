"""Horizontal axis of the scores' figure: its range, and where a score lies on it in pixels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shared.report.schemas import StabilityReport

TitledReports = Sequence[tuple[str, StabilityReport]]
"""Title and report of each job, which share metric and split."""

AXIS_TICKS = 7
MIN_SPAN = 0.1  # of the axis, in the metric
METRIC_FLOORS = {"mcc": -1.0, "pearson": -1.0, "spearman": -1.0} | dict.fromkeys(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro"), 0.0
)
"""Lowest value of each bounded metric."""
METRIC_CEILING = 1.0
"""Highest value of every metric."""


@dataclass(frozen=True)
class ScoreAxis:
    low: float
    high: float
    width: float
    """Length in pixels."""

    @property
    def domain(self) -> list[float]:
        return [self.low, self.high]

    def get_pixel(self, score: float) -> float:
        """Return the score's distance from the left end."""
        return self.width * (score - self.low) / (self.high - self.low)


def build_score_axis(reports: TitledReports, width: float) -> ScoreAxis:
    """Cover everything drawn, with some margin and wide enough for equal scores; both ends are
    round numbers.
    """
    values = [value for _, report in reports for value in _list_drawn_values(report)]
    if not values:
        return ScoreAxis(0.0, 1.0, width)
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), (MIN_SPAN - (high - low)) / 2)
    return ScoreAxis(*_round_outwards(low - margin, high + margin), width)


def clip_mean_interval(report: StabilityReport) -> tuple[float, float]:
    """Return the part of the mean's interval that the metric can take: Student's t has no
    bounds.
    """
    floor = METRIC_FLOORS.get(report.metric, -math.inf)
    low, high = report.ci95 or (report.mean or 0.0, report.mean or 0.0)
    return max(low, floor), min(high, METRIC_CEILING)


def _list_drawn_values(report: StabilityReport) -> list[float]:
    interval = clip_mean_interval(report) if report.ci95 else ()
    baselines = (base.score for base in report.baselines)
    values = (report.min, report.max, *interval, *baselines)
    return [value for value in values if value is not None]


def _round_outwards(low: float, high: float) -> tuple[float, float]:
    """Extend the range to multiples of the distance between two ticks: 1, 2 or 5 times a power
    of ten.
    """
    raw = (high - low) / AXIS_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    ends = math.floor(low / step) * step, math.ceil(high / step) * step
    return round(ends[0], 12), round(ends[1], 12)
