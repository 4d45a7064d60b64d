"""The report's further statistics, as they go over the wire: on the report itself, not on the jobs of a list."""

from typing import Literal

from shared.report.base import FrozenModel


class BestOf(FrozenModel):
    n: int
    """Seeds trained, of which the best by validation is kept."""
    expected: float
    """Expected score of that best one, on the report's split."""


class BestOfN(FrozenModel):
    """What n seeds would give if the best by validation is kept (Dodge et al. 2019), for n from 1 to the seeds there are.

    The draw is from the seeds there are, with replacement. A run is chosen by its validation score and told by its score on the
    report's split: where that is ``test``, the curve is free of the luck of having been chosen.
    """

    runs: int
    """Runs drawn from: succeeded ones with a score on the report's split."""
    curve: list[BestOf]
    """For n from 1 on."""


class VarianceComponent(FrozenModel):
    factor: Literal["init_seed", "data_seed", "seed", "fold", "residual"]
    """What varies."""
    levels: int | None
    """How many values of the factor there are; null for ``residual``."""
    variance: float
    """Its part of the variance of one run's score; an estimate below 0 counts as 0."""
    std: float
    """The root of `variance`."""
    share: float
    """Of the sum of all components."""


class VarianceSplit(FrozenModel):
    """How much of the spread each random factor makes: a random-effects analysis of variance without replication.

    ``residual`` holds the interaction of the factors, which one run a cell cannot tell from anything else.
    """

    runs: int
    """Runs that it rests on."""
    components: list[VarianceComponent] | None
    """One a factor; null where they cannot be told apart."""
    reason: str | None
    """Why ``components`` is null."""


class FanPoint(FrozenModel):
    step: int
    n: int
    """Runs with a value at this step: fewer where runs were stopped, failed or are not there yet."""
    min: float
    q1: float
    median: float
    q3: float
    max: float


class LearningCurve(FrozenModel):
    """The validation score over the seeds at each evaluation, whatever became of the runs later."""

    metric: str
    """What the scores are."""
    points: list[FanPoint]
    """One an evaluation."""


class DiscardEffect(FrozenModel):
    """What keeping the best part-way does to the mean, measured where the choice was made."""

    started: int
    """Runs that began."""
    discarded: int
    """Runs that were stopped."""
    kept: int
    """Runs that went on."""
    step: int
    """The optimiser step after which the choice was made."""
    mean_started: float | None
    """Mean of the best validation scores up to that step, over all runs that got there; null if none has a score."""
    mean_kept: float | None
    """The same over those that were kept."""
    difference: float | None
    """``mean_kept - mean_started``: how much the choice alone lifts the mean at that step."""


class ForecastWidth(FrozenModel):
    n: int
    """Seeds in all."""
    half_width: float
    """Of Student's t interval of the mean with n seeds, if their standard deviation is what it is now."""


class ClassStatistic(FrozenModel):
    mean: float | None
    """Over these runs; null without one."""
    std: float | None
    """Sample standard deviation; null below two runs."""
    n: int
    """Runs in which it is defined."""


class ClassScores(FrozenModel):
    """How well one label is found, over the succeeded seeds, on the report's split."""

    label: str
    """Its name."""
    support: float
    """Rows that have the label; the mean over the runs where folds differ."""
    precision: ClassStatistic
    """Share of right answers among the rows answered with it."""
    recall: ClassStatistic
    """Share of its rows answered with it."""
    f1: ClassStatistic
    """Their harmonic mean."""
