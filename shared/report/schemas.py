"""Inputs and outputs of a report. The output is the response of ``GET …/stability``, field for
field.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from shared.domain.early_discard import DiscardSettings
from shared.domain.job_facts import JobWarning
from shared.domain.publication import Publication
from shared.domain.states import RunState
from shared.domain.visible_text import Prose
from shared.metrics import ClassScores as RunClassScores
from shared.recipe.pilot_schemas import PilotPlan
from shared.report.base import FrozenModel, Interval
from shared.report.details import (
    AverageScores,
    BestOfN,
    ClassScores,
    DiscardEffect,
    DistilledScores,
    EnsembleScores,
    EqualScores,
    ForecastWidth,
    LearningCurve,
    PublishedScore,
    VarianceSplit,
)
from shared.report.formatting import choose_run_noun

Split = Literal["validation", "test"]
Severity = Literal["high", "medium", "low"]
Curve = Sequence[tuple[int, float]]
"""(optimizer step, validation score) of a run's evaluations, steps ascending."""


@dataclass(frozen=True)
class RunResult:
    """One main run as stored; scores are None until they exist."""

    run_id: str
    seed: int
    init_seed: int
    data_seed: int
    status: str
    degenerate: bool | None
    score: float | None
    """The score on the report's split."""
    validation_score: float | None
    test_score: float | None
    fold: int | None = None
    curve: Curve = ()
    averaged_checkpoints: int | None = None
    """Number of checkpoints in the average that is the run's model; None without averaging."""
    best_checkpoint_score: float | None = None
    """The score of the best checkpoint alone, if the run's model is an average."""
    classes: Sequence[RunClassScores] | None = None
    """Of a succeeded run: {label, precision, recall, f1, support} of each label on the report's
    split.
    """


class Baseline(FrozenModel):
    """Score without fine-tuning in the report's metric, on the report's split."""

    name: str
    """``majority``: the best constant prediction; ``tfidf_logistic_regression``,
    ``tfidf_ridge``, ``linear_probe``: scikit-learn models of the training rows' words and of
    the frozen encoder's states; for pairs also ``pair_probe`` and ``pair_cosine``: models of the
    two texts' own states and of their cosine.
    """
    score: float | None
    """Null if it could not be computed."""


class ConfusionMatrix(FrozenModel):
    """How often each label was predicted as which, in the best run, on the report's split."""

    labels: list[str]
    """Labels in the order of rows and columns."""
    matrix: list[list[int]]
    """Rows: true label, columns: predicted label, in the order of ``labels``."""
    run_id: str
    """The best run."""


class LeakedRows(NamedTuple):
    """Evaluated rows whose text is also a training row's, out of all evaluated rows."""

    rows: int
    total: int


@dataclass(frozen=True)
class JobResults:
    """Everything a report is built from. ``runs`` are the main runs by index, without pilots."""

    job_id: str
    metric: str
    split: Split
    planned: int
    runs: tuple[RunResult, ...]
    baselines: tuple[Baseline, ...] = ()
    best_run_id: str | None = None
    """The run with the best validation score, once there is one."""
    fine_tuned_model: str | None = None
    publication: Publication | None = None
    """What the job has published, and the ensemble's scores; None before, and for older jobs."""
    evaluation_rows: int | None = None
    """Rows of the split on which the score is measured."""
    confusion_matrix: ConfusionMatrix | None = None
    regression: bool = False
    pilots: PilotPlan | None = None
    """Pilots of the job: the candidates, their scores and the choice."""
    early_discard: DiscardSettings | None = None
    """Early discard of the job: ``start`` runs began, and at ``at_step`` the most promising
    were kept.
    """
    warnings: tuple[JobWarning, ...] = ()
    """What the job's plan and its workers warn of."""
    leak: LeakedRows | None = None
    """Evaluated rows whose text is also a training row's."""
    diagnosis: tuple[str, ...] = ()
    """Findings over the runs (``shared.report.diagnosis``)."""
    detailed: bool = False
    """Whether to compute the further statistics, from runs loaded with their curves and classes."""


class DegenerateRate(FrozenModel):
    value: float | None
    """Share of the succeeded runs that are degenerate."""
    ci95: Interval | None
    """Wilson's score interval (1927), which is valid for small numbers and at 0 and 1."""


class Verdict(FrozenModel):
    code: str
    """Stable machine-readable code."""
    text: Prose
    """The conclusion in words."""


class Caution(FrozenModel):
    """One of ``warnings``: what to know before relying on the numbers, or why a number is null.

    Build it with ``shared.report.cautions.make_caution``, which knows the severity of a code.
    """

    code: str
    """Stable machine-readable code."""
    message: Prose
    """Explanation for people."""
    severity: Severity = "medium"
    """``high``: the scores do not measure what they seem to, or training cannot have worked;
    ``medium``: they are less certain than they look; ``low``: how something was read or decided.
    """


class ReportedRun(FrozenModel):
    run_id: str
    """ID of the run."""
    seed: int
    """Number that identifies the run; outside a grid also its ``init_seed`` and ``data_seed``."""
    init_seed: int
    """Seed of the newly initialized weights."""
    data_seed: int
    """Seed of the row order and of dropout."""
    status: RunState
    """State of the run."""
    degenerate: bool | None
    """Whether it ended no better than a constant prediction; null until it has ended."""
    score: float | None
    """Result of a succeeded run on the report's split; null otherwise."""
    validation_score: float | None
    """Validation score of the selected checkpoint; null until there is one."""
    test_score: float | None
    """Test score of the selected checkpoint; null without test rows."""
    fold: int | None = None
    """Part of the training file it was validated on, from 0, under k-fold."""


class StabilityReport(FrozenModel):
    """The distribution of one metric over a job's seeds."""

    object: Literal["fine_tuning.stability"] = "fine_tuning.stability"
    """Kind of object."""
    job_id: str
    """ID of the job."""
    provisional: bool
    """Whether runs are still open, so that every number may change."""
    metric: str
    """Metric of the scores."""
    split: Split
    """Split on which the runs were scored."""
    planned: int
    """Main runs of the job, ended or not."""
    n: int
    """Succeeded main runs, degenerate ones included."""
    mean: float | None
    """Mean of the scores; null without scores."""
    std: float | None
    """Sample standard deviation (n - 1 in the denominator)."""
    equal_scores: EqualScores | None = None
    """What remains possible although ``std`` is 0; null if the scores differ or there are fewer
    than two.
    """
    min: float | None
    """Lowest score; null without scores."""
    q1: float | None
    """Lower quartile of the scores; quartiles are interpolated linearly."""
    median: float | None
    """Median of the scores; null without scores."""
    q3: float | None
    """Upper quartile of the scores; null without scores."""
    max: float | None
    """Highest score; null without scores."""
    ci95: Interval | None
    """Student's t interval of the mean over seeds, within the metric's range. It says nothing about
    other rows, and has no width if all scores are equal: see ``equal_scores``.
    """
    bootstrap_ci95: Interval | None
    """Percentile bootstrap interval of the mean, 10,000 resamples with a fixed random seed."""
    degenerate: int
    """Succeeded runs no better than a constant prediction."""
    failed: int
    """Runs that ended without a score."""
    cancelled: int
    """Runs that were cancelled by a request."""
    discarded: int
    """Runs that early discard has stopped."""
    degenerate_rate: DegenerateRate
    """How often training ends no better than a constant prediction."""
    best_run_id: str | None
    """Best run by validation score; null until a run has succeeded."""
    fine_tuned_model: str | None
    """ID of the published model; null until the job has succeeded."""
    best_run_score: float | None = None
    """Score of the best run by validation on the report's split; null without one."""
    ensemble: EnsembleScores | None = None
    """Scores of the mean prediction of the sound runs, on the same rows; null before the job has
    succeeded, and with fewer than two sound runs.
    """
    distilled: DistilledScores | None = None
    """Scores of the model distilled from the ensemble; null unless the job was asked for one."""
    published: PublishedScore | None = None
    """What the published model answers with, and its score; null until there is one."""
    baselines: list[Baseline]
    """Scores without fine-tuning."""
    evaluation_rows: int | None
    """Number of rows of the split."""
    score_standard_error: float | None
    """Standard error of the mean score from the number of rows it was measured on: half the width
    of ``rows_ci95`` over 1.96, so not 0 even if all rows are right. Null unless the metric is a
    share of rows.
    """
    rows_ci95: Interval | None = None
    """Wilson's interval of the mean score, from the number of rows it was measured on; null unless
    the metric is a share of rows.
    """
    verdict: Verdict
    """The conclusion of the report."""
    warnings: list[Caution]
    """What to know before relying on the numbers, the worst first: the cautions of the job's plan,
    data, pilots and runs.
    """
    diagnosis: list[str]
    """Problems over the runs, with evidence and the setting to try; empty if there are none."""
    confusion_matrix: ConfusionMatrix | None
    best_of_n: BestOfN | None = None
    average: AverageScores | None = None
    """What averaging checkpoints has changed; null unless the recipe averages them."""
    variance: VarianceSplit | None = None
    learning_curve: LearningCurve | None = None
    early_discard: DiscardEffect | None = None
    more_seeds: list[ForecastWidth] | None = None
    """How much narrower the mean's interval would be with more seeds; null without any spread."""
    per_class: list[ClassScores] | None = None
    """Scores of each label; null if rows do not have exactly one label."""
    pilots: dict[str, Any] | None = None
    """The pilots that chose automatic settings, and their scores; no other number includes them."""
    runs: list[ReportedRun]
    """Runs by index."""

    @property
    def run_noun(self) -> str:
        """What to call the counted runs in sentences."""
        return choose_run_noun(self.runs)
