"""Statistics of the full report that the short form in a job object leaves out."""

from typing import Literal

from shared.report.base import FrozenModel, Interval


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
    deviation; at most half the metric's range.
    """


class EqualScores(FrozenModel):
    """What equal scores leave open: that no seed differs does not show that none would."""

    differing_share: float
    """Upper 95% bound on the share of all seeds whose score differs: 1 - 0.05^(1/(n-1)), since none
    of the n - 1 other seeds differs from the first.
    """
    std: float | None
    """Largest standard deviation if that share of the seeds differ by a single row each, so a
    standard deviation that the seeds do not exclude. Seeds that differ by more cause a larger
    one. Null unless the metric is a share of rows.
    """


class EnsembleScores(FrozenModel):
    """Scores of the mean of the sound runs' predictions: succeeded and not degenerate."""

    members: int
    """Number of averaged runs."""
    run_ids: list[str]
    """The averaged runs, by index."""
    score: float | None
    """Score on the report's split; null if the runs did not all predict the same rows."""
    validation_score: float | None
    """Score on the validation rows, which chose each run's checkpoint; null under k-fold."""
    test_score: float | None
    """Score on the test rows; null without any."""
    disagreement: float | None
    """Share of the rows of the report's split on which two runs predict differently, the mean over
    all pairs of runs; null for a regression.
    """


class DistilledScores(FrozenModel):
    """Scores of the one model that learned the ensemble's mean predictions."""

    run_id: str
    """The run that distilled it; it is not one of the seeds."""
    teachers: list[str]
    """The runs that it learned from, by index."""
    unlabelled_texts: int | None = None
    """Texts of `unlabelled_file` that it learned besides the training rows; null without such a
    file.
    """
    score: float | None
    """Score on the report's split."""
    validation_score: float | None
    """Score on the validation rows, which chose its checkpoint."""
    test_score: float | None
    """Score on the test rows; null without any."""


class AverageScores(FrozenModel):
    """What averaging checkpoints has changed: the averages beside the best checkpoints alone.

    Both are means over the same runs, on the report's split.
    """

    runs: int
    """Succeeded runs whose checkpoints were averaged."""
    checkpoints: float
    """Mean number of checkpoints in an average; 1 if no other ever could be added."""
    score: float | None
    """Mean score of the averages, which are the runs' models; null if one is undefined."""
    best_checkpoint_score: float | None
    """Mean score of each run's best checkpoint alone; null if one is undefined."""


class PublishedScore(FrozenModel):
    kind: Literal["best_run", "ensemble", "distilled"]
    """Whether the published model is the best run, the ensemble of the sound runs, or one model
    distilled from the ensemble.
    """
    score: float | None
    """Its score on the report's split."""
    reason: str | None
    """Why it was chosen; null if there was no choice."""


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
    recall_rows_ci95: Interval | None = None
    """Wilson's interval of the mean recall, from the number of rows with the label."""
