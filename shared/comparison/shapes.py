"""A comparison as it goes over the wire, except for its id and the time it was made."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.report.shapes import Interval, Split, StabilityReport
from shared.states import RunState


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Contender:
    """A job to compare: its report, and the names sentences call it by."""

    report: StabilityReport
    preset: str
    title: str | None = None
    """How the job is called in the verdict; default: its preset."""

    @property
    def name(self) -> str:
        return self.title or self.preset

    @property
    def scores(self) -> tuple[float, ...]:
        """Defined scores of the succeeded runs, ascending."""
        runs = self.report.runs
        return tuple(sorted(run.score for run in runs if run.status == RunState.SUCCEEDED and run.score is not None))


class ComparedJob(_Shape):
    job_id: str
    preset: str
    n: int
    mean: float | None
    std: float | None
    degenerate: int
    failed: int


class EffectSize(_Shape):
    cohens_d: float | None
    """(mean b - mean a) over the pooled standard deviation; null where that is 0 or undefined."""
    cliffs_delta: float | None
    """Share of pairs of seeds in which b is higher, less the share in which a is: -1 to 1, 0 for no difference."""


class HypothesisTest(_Shape):
    name: Literal["welch", "permutation", "paired_permutation", "brown_forsythe", "fisher"]
    alternative: Literal["two-sided"] = "two-sided"
    n: tuple[int, int]
    statistic: float | None
    p: float | None
    p_holm: float | None = None
    """Adjusted for all pairs of the comparison (Holm 1979); null while there is one pair only."""
    min_p: float | None = None
    """The smallest p that so many seeds can give at all; null where the test has no such bound."""
    reason: str | None = None
    """Why ``p`` is null."""


class ComparisonVerdict(_Shape):
    code: Literal["b_better", "a_better", "no_difference_shown", "not_enough_seeds", "all_degenerate"]
    text: str
    seeds_needed: int | None = None
    """Seeds a job needs before a difference can be shown at this alpha at all; only for ``not_enough_seeds``."""


class Pair(_Shape):
    a: str
    b: str
    difference: float | None
    """Mean of b less mean of a, over the seeds."""
    ci95: Interval | None
    """Welch's interval of the difference; null with fewer than two scores a job, or where both jobs have no spread."""
    effect_size: EffectSize
    tests: list[HypothesisTest]
    verdict: ComparisonVerdict


class Comparison(_Shape):
    object: Literal["fine_tuning.comparison"] = "fine_tuning.comparison"
    metric: str
    split: Split
    alpha: float
    jobs: list[ComparedJob]
    pairs: list[Pair]
