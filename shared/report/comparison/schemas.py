"""A comparison as it goes over the wire, except for its id and the time it was made."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from shared.domain.states import RunState
from shared.report.base import FrozenModel, Interval
from shared.report.schemas import Caution, Split, StabilityReport

SeedKey = tuple[int, int, int | None]


@dataclass(frozen=True)
class ComparisonInput:
    """A job to compare: its report, and the names sentences call it by."""

    report: StabilityReport
    preset: str
    title: str | None = None
    """How the job is called in the verdict; default: its preset."""
    precision: str = "float32"
    """Arithmetic that its recipe was trained in."""

    @property
    def name(self) -> str:
        return self.title or self.preset

    @property
    def scores(self) -> tuple[float, ...]:
        """Defined scores of the succeeded runs, ascending."""
        return tuple(sorted(score for _, score in self._iterate_scores()))

    @property
    def scores_by_seed(self) -> dict[SeedKey, float]:
        """The same by what a run shares with its like in another job: both seeds and the fold."""
        return dict(self._iterate_scores())

    def _iterate_scores(self) -> Iterator[tuple[SeedKey, float]]:
        for run in self.report.runs:
            if run.status == RunState.SUCCEEDED and run.score is not None:
                yield (run.init_seed, run.data_seed, run.fold), run.score

    @property
    def ended_count(self) -> int:
        """Runs that came to an end of their own, well or not: discarded and cancelled ones did not."""
        return self.report.n + self.report.failed

    @property
    def unsuccessful_count(self) -> int:
        """Runs that are no use: degenerate or failed."""
        return self.report.degenerate + self.report.failed

    @property
    def is_all_degenerate(self) -> bool:
        return 0 < self.report.n == self.report.degenerate


class ComparedJob(FrozenModel):
    job_id: str
    preset: str
    """Of its recipe."""
    n: int
    """Succeeded runs with a score."""
    mean: float | None
    std: float | None
    degenerate: int
    failed: int


class EffectSize(FrozenModel):
    cohens_d: float | None
    """(mean b - mean a) over the pooled standard deviation; null where that is 0 or undefined."""
    cliffs_delta: float | None
    """Share of pairs of seeds in which b is higher, less the share in which a is: -1 to 1, 0 for no difference."""


class HypothesisTest(FrozenModel):
    name: Literal["welch", "permutation", "paired_permutation", "brown_forsythe", "fisher"]
    """Of the test."""
    alternative: Literal["two-sided"] = "two-sided"
    """What the null hypothesis is tested against."""
    n: tuple[int, int]
    """Seeds of a and of b."""
    statistic: float | None
    """Null where it is undefined."""
    p: float | None
    """Null where the test cannot be made."""
    p_holm: float | None = None
    """Adjusted for all pairs of the comparison (Holm 1979), each kind of test by itself; null where there is one pair only."""
    min_p: float | None = None
    """The smallest p that so many seeds can give at all, before any adjustment; null where the test has no such bound."""
    reason: str | None = None
    """Why ``p`` is null."""


class ComparisonVerdict(FrozenModel):
    code: Literal[
        "b_better", "a_better", "no_difference_shown", "not_enough_seeds", "all_degenerate"
    ]
    """For programs."""
    text: str
    """For people."""
    seeds_needed: int | None = None
    """Seeds each job needs before a difference can be shown at this alpha, over this many pairs, at all; only for
    ``not_enough_seeds``."""


class Pair(FrozenModel):
    a: str
    """The job named earlier."""
    b: str
    """The job named later."""
    difference: float | None
    """Mean of b less mean of a, over the seeds."""
    ci95: Interval | None
    """Welch's interval of the difference; null with fewer than two scores a job, or where both jobs have no spread."""
    effect_size: EffectSize
    """How far apart they are, whatever the number of seeds."""
    tests: list[HypothesisTest]
    """Each by itself."""
    verdict: ComparisonVerdict
    """What the seeds can carry."""


class Comparison(FrozenModel):
    object: Literal["fine_tuning.comparison"] = "fine_tuning.comparison"
    metric: str
    """What the scores are."""
    split: Split
    """The rows that they are taken on."""
    alpha: float
    """Highest p that counts as shown."""
    provisional: bool = False
    """Whether a job still had open runs, so that the same comparison may come out otherwise later."""
    warnings: list[Caution] = Field(default_factory=list)
    """What should be known before the numbers are relied on."""
    jobs: list[ComparedJob]
    """In the order asked."""
    pairs: list[Pair]
    """Every two jobs."""
