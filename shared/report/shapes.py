"""What goes into a report and what comes out. The output is the wire shape of ``GET …/stability``, field for field."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.states import RunState

Split = Literal["validation", "test"]
Interval = tuple[float, float]


class _Shape(BaseModel):
    # allow_inf_nan=False: an undefined number that is not null is a defect of ours, and should be seen as one
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


@dataclass(frozen=True)
class RunResult:
    """One main run as its row stands; scores are None where there is none (yet)."""

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


class Baseline(_Shape):
    """What an answer without a model reaches in the report's metric, on the report's split."""

    name: str
    """``majority``: always the most frequent label."""
    score: float | None


class ConfusionMatrix(_Shape):
    """How often each label was taken for which, in the best run, on the report's split."""

    labels: list[str]
    matrix: list[list[int]]
    """Rows: true label, columns: predicted label, in the order of ``labels``."""
    run_id: str


@dataclass(frozen=True)
class JobResults:
    """Everything a report is made of. ``runs`` are the main runs, in order of their index, without pilots."""

    job_id: str
    metric: str
    split: Split
    planned: int
    runs: tuple[RunResult, ...]
    baselines: tuple[Baseline, ...] = ()
    best_run_id: str | None = None
    """The run with the best validation score, once there is one."""
    fine_tuned_model: str | None = None
    evaluation_rows: int | None = None
    """Rows of the split that the score is measured on."""
    confusion_matrix: ConfusionMatrix | None = None


class DegenerateRate(_Shape):
    value: float | None
    """Share of the succeeded runs that are degenerate."""
    ci95: Interval | None
    """Wilson's score interval (1927): holds for small numbers and at 0 and 1, where the usual one has no width."""


class Verdict(_Shape):
    code: str
    text: str


class Caution(_Shape):
    """One of ``warnings``: something to know before the numbers are relied on, or why a number is null."""

    code: str
    message: str


class ReportedRun(_Shape):
    run_id: str
    seed: int
    init_seed: int
    data_seed: int
    status: RunState
    degenerate: bool | None
    score: float | None
    validation_score: float | None
    test_score: float | None


class StabilityReport(_Shape):
    """The distribution of one metric over a job's seeds."""

    object: Literal["fine_tuning.stability"] = "fine_tuning.stability"
    job_id: str
    provisional: bool
    """Whether runs are still open, so that every number may change."""
    metric: str
    split: Split
    planned: int
    """Main runs of the job, ended or not."""
    n: int
    """Succeeded main runs, degenerate ones included."""
    mean: float | None
    std: float | None
    """Sample standard deviation (n - 1 in the denominator)."""
    min: float | None
    q1: float | None
    """Quartiles by linear interpolation between order statistics."""
    median: float | None
    q3: float | None
    max: float | None
    ci95: Interval | None
    """Student's t interval of the mean over seeds. It says nothing about other rows."""
    bootstrap_ci95: Interval | None
    """Percentile bootstrap interval of the mean, 10,000 resamples with a fixed random seed."""
    degenerate: int
    failed: int
    cancelled: int
    discarded: int
    degenerate_rate: DegenerateRate
    best_run_id: str | None
    fine_tuned_model: str | None
    baselines: list[Baseline]
    evaluation_rows: int | None
    score_standard_error: float | None
    """Binomial standard error of the mean score, from the number of rows it was measured on; null unless the metric
    is a share of rows."""
    verdict: Verdict
    warnings: list[Caution]
    confusion_matrix: ConfusionMatrix | None
    runs: list[ReportedRun]
