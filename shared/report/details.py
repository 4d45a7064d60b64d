"""Statistics of the full report that the short form in a job object leaves out."""

from typing import Literal

from shared.report.base import FrozenModel


class BestOf(FrozenModel):
    n: int
    """Number of seeds, of which the best by validation is kept."""
    expected: float
    """Expected score of that best seed on the report's split."""


class BestOfN(FrozenModel):
    """Expected result of n seeds if the best by validation is kept (Dodge et al. 2019), for n
    from 1 to the number of seeds.

    Runs are drawn from the existing seeds with replacement, chosen by validation score and
    reported by their score on the report's split. On ``test`` the curve is free of selection
    bias.
    """

    runs: int
    """Runs drawn from: succeeded ones with a score on the report's split."""
    curve: list[BestOf]
    """One point for each n from 1."""


class VarianceComponent(FrozenModel):
    factor: Literal["init_seed", "data_seed", "seed", "fold", "residual"]
    """The source of the variance."""
    levels: int | None
    """Number of levels of the factor; null for ``residual``."""
    variance: float
    """Its part of the variance of one run's score; a negative estimate counts as 0."""
    std: float
    """Square root of `variance`."""
    share: float
    """Share of the sum of all components."""


class VarianceSplit(FrozenModel):
    """Contribution of each random factor to the spread: a random-effects analysis of variance
    without replication.

    ``residual`` includes the interaction of the factors, which one run per cell cannot
    separate.
    """

    runs: int
    """Number of runs used."""
    components: list[VarianceComponent] | None
    """One component per factor; null if they cannot be separated."""
    reason: str | None
    """Why ``components`` is null."""


class FanPoint(FrozenModel):
    step: int
    """Optimizer step of the evaluation."""
    n: int
    """Runs with a value at this step: fewer if runs were stopped, failed or have not reached it."""
    min: float
    """Lowest score."""
    q1: float
    """Lower quartile of the scores."""
    median: float
    """Median of the scores."""
    q3: float
    """Upper quartile of the scores."""
    max: float
    """Highest score."""


class LearningCurve(FrozenModel):
    """Validation score over the seeds at each evaluation, including runs that failed later."""

    metric: str
    """Metric of the scores."""
    points: list[FanPoint]
    """One point per evaluation."""


class DiscardEffect(FrozenModel):
    """Effect of early discard on the mean, measured at the step of the decision."""

    started: int
    """Runs that began."""
    discarded: int
    """Runs that were stopped."""
    kept: int
    """Runs that continued."""
    step: int
    """Optimizer step after which the decision was made."""
    mean_started: float | None
    """Mean of the best validation scores up to that step, over all runs that reached it; null
    without scores.
    """
    mean_kept: float | None
    """The same mean over the kept runs."""
    difference: float | None
    """``mean_kept - mean_started``: how much the selection alone raises the mean at that step."""


class ForecastWidth(FrozenModel):
    n: int
    """Total number of seeds."""
    half_width: float
    """Half width of Student's t interval of the mean with n seeds, at the current standard
    deviation.
    """


class ClassStatistic(FrozenModel):
    mean: float | None
    """Mean over these runs; null without any."""
    std: float | None
    """Sample standard deviation; null below two runs."""
    n: int
    """Runs in which it is defined."""


class ClassScores(FrozenModel):
    """Scores of one label over the succeeded seeds, on the report's split."""

    label: str
    """Label name."""
    support: float
    """Rows with the label; the mean over the runs if folds differ."""
    precision: ClassStatistic
    """Share of the rows predicted as the label that have it."""
    recall: ClassStatistic
    """Share of the rows with the label that are predicted as it."""
    f1: ClassStatistic
    """Harmonic mean of precision and recall."""
