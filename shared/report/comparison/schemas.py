"""Inputs and outputs of a comparison, except for its id and creation time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field

from shared.domain.states import RunState
from shared.report.base import FrozenModel, Interval
from shared.report.details import EqualScores
from shared.report.schemas import Caution, Split, StabilityReport

SeedKey = tuple[int, int, int | None]


@dataclass(frozen=True)
class ComparisonInput:
    """A job to compare: its report and its name in sentences."""

    report: StabilityReport
    preset: str
    title: str | None = None
    """Name of the job in the verdict; default: its preset."""
    precision: str = "float32"
    """Precision that the job was trained in."""
    threads: int = 1
    """CPU threads of each of the job's trainers."""

    @property
    def name(self) -> str:
        return self.title or self.preset

    @property
    def scores(self) -> tuple[float, ...]:
        """Defined scores of the succeeded runs, ascending."""
        return tuple(sorted(score for _, score in self._iterate_scores()))

    @property
    def scores_by_seed(self) -> dict[SeedKey, float]:
        """The scores by what matching runs of two jobs share: both seeds and the fold."""
        return dict(self._iterate_scores())

    def _iterate_scores(self) -> Iterator[tuple[SeedKey, float]]:
        for run in self.report.runs:
            if run.status == RunState.SUCCEEDED and run.score is not None:
                yield (run.init_seed, run.data_seed, run.fold), run.score

    @property
    def ended_count(self) -> int:
        """Runs that ended by themselves; discarded and cancelled ones did not."""
        return self.report.n + self.report.failed

    @property
    def unsuccessful_count(self) -> int:
        """Degenerate or failed runs."""
        return self.report.degenerate + self.report.failed

    @property
    def is_all_degenerate(self) -> bool:
        return 0 < self.report.n == self.report.degenerate


class ComparedJob(FrozenModel):
    job_id: str
    """ID of the job."""
    preset: str
    """Preset of the job's recipe."""
    n: int
    """Succeeded runs with a score."""
    mean: float | None
    """Mean score; null without scores."""
    std: float | None
    """Sample standard deviation of the scores; null with fewer than two."""
    equal_scores: EqualScores | None = None
    """What remains possible although ``std`` is 0; null if the scores differ."""
    degenerate: int
    """Succeeded runs no better than a constant prediction."""
    failed: int
    """Runs that ended without a score."""


class EffectSize(FrozenModel):
    cohens_d: float | None
    """(mean b - mean a) over the pooled standard deviation; null if that is 0 or undefined."""
    cliffs_delta: float | None
    """Share of pairs of seeds in which b is higher, minus the share in which a is: -1 to 1."""


class HypothesisTest(FrozenModel):
    name: Literal["welch", "permutation", "paired_permutation", "brown_forsythe", "fisher"]
    """Name of the test."""
    alternative: Literal["two-sided"] = "two-sided"
    """The alternative hypothesis."""
    n: tuple[int, int]
    """Seeds of a and of b."""
    statistic: float | None
    """Null if undefined."""
    p: float | None
    """The p-value; null if the test is not possible."""
    p_holm: float | None = None
    """Adjusted for all pairs of the comparison (Holm 1979), separately for each kind of test;
    null for a single pair.
    """
    min_p: float | None = None
    """The smallest p that this many seeds can give, before adjustment; null for a test without
    such a bound.
    """
    reason: str | None = None
    """Why ``p`` is null."""


class ComparisonVerdict(FrozenModel):
    code: Literal[
        "b_better", "a_better", "no_difference_shown", "not_enough_seeds", "all_degenerate"
    ]
    """Stable machine-readable code."""
    text: str
    """The verdict in words."""
    seeds_needed: int | None = None
    """Seeds per job needed to show any difference at this alpha for this many pairs; only for
    ``not_enough_seeds``.
    """


class Pair(FrozenModel):
    a: str
    """The job named earlier."""
    b: str
    """The job named later."""
    difference: float | None
    """Mean of b minus mean of a, over the seeds."""
    ci95: Interval | None
    """Welch's interval of the difference, within the possible differences; null with fewer than
    two scores in a job, or if neither job has any spread.
    """
    effect_size: EffectSize
    """Size of the difference, independent of the number of seeds."""
    tests: list[HypothesisTest]
    """One result per test."""
    verdict: ComparisonVerdict
    """The conclusion that the seeds support."""


class Comparison(FrozenModel):
    object: Literal["fine_tuning.comparison"] = "fine_tuning.comparison"
    """Kind of object."""
    metric: str
    """Metric of the scores."""
    split: Split
    """Split on which the jobs were scored."""
    alpha: float
    """Significance level: the largest p-value that shows a difference."""
    provisional: bool = False
    """Whether a job still has open runs, so that the comparison may change."""
    warnings: list[Caution] = Field(default_factory=list)
    """What to know before relying on the numbers, the worst first: the cautions of the jobs, and
    what differs between them besides their recipes.
    """
    jobs: list[ComparedJob]
    """The jobs, in the requested order."""
    pairs: list[Pair]
    """One comparison for every two jobs."""


class StoredComparison(Comparison):
    """A comparison as in ``Comparison.result``; fields that only a newer version knows are lost."""

    model_config = ConfigDict(extra="ignore")
