"""Result of a run, as in ``Run.result``: of a whole training, of a rung, or of the baselines.

A rung is the step at which a run waits for the decision of an early discard.
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.domain.job_facts import BaselineScores
from shared.domain.run_evidence import Evidence
from shared.domain.stored import OptionalKey, StoredModel
from shared.metrics.single_label import ClassScores


class SplitResult(StoredModel):
    """Scores of the chosen checkpoint on one split."""

    loss: float
    metrics: dict[str, float | None]
    score: float | None
    confusion: list[list[int]] | None
    """True labels by predicted labels, both in the order of ``label_names``.

    Null for more than 100 labels, and unless the task is single-label.
    """
    per_class: list[ClassScores] | None = None
    """One entry per label, in the same order; null for regression and for over 1,000 labels."""


class AverageResult(StoredModel):
    """The average of a run's checkpoints, beside its best checkpoint alone.

    The run's own scores are those of the average.
    """

    steps: list[int]
    """Steps of the averaged checkpoints, the best by validation first. If there is only one, no
    other could be added without a loss of validation score."""
    best_checkpoint_validation: dict[str, float | None]
    """Every metric of the best checkpoint alone on the validation rows."""
    best_checkpoint_test: OptionalKey[dict[str, float | None]] = None
    """The same on the test rows; None without any."""

    def get_best_checkpoint_split(self, split: str) -> dict[str, float | None] | None:
        if split == "validation":
            return self.best_checkpoint_validation
        return self.best_checkpoint_test


class TrainedResult(StoredModel):
    """Result of a run that was trained to its end."""

    validation: SplitResult
    test: SplitResult | None = None
    evidence: OptionalKey[Evidence] = None
    average: OptionalKey[AverageResult] = None
    """None unless the recipe averages checkpoints."""

    def get_split(self, split: str) -> SplitResult | None:
        return self.validation if split == "validation" else self.test


class Rung(StoredModel):
    """Score at the step where the run waits for the early discard."""

    step: int
    score: float | None
    degenerate: bool


class RungResult(StoredModel):
    """Result of a run that waits for the early discard, or was discarded."""

    rung: Rung


class BaselinesResult(StoredModel):
    """Result of the run that scores a job's baselines."""

    type: Literal["baselines"] = "baselines"
    scores: BaselineScores
    """The job's metric by split, on the same ``validation`` and ``test`` rows as its runs."""
    rows: int
    """Number of training rows that the models were fitted on."""


StoredResult = Annotated[
    TrainedResult | RungResult | BaselinesResult, Field(union_mode="left_to_right")
]
