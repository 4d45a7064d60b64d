"""What a run yields, in order: Started, then Step and Evaluation events, then Finished or
Paused. Plain data; the caller records them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.domain.run_evidence import Evidence
from shared.metrics import ClassScores


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Started(_Event):
    type: Literal["started"] = "started"
    total_steps: int
    rows: dict[str, int]
    """Rows of each split: ``train``, ``validation`` and, where there is one, ``test``."""
    truncated: dict[str, int]
    """Rows of each split that are longer than ``max_seq_length`` tokens and were cut."""
    majority_score: dict[str, float | None]
    """The metric of the best constant answer on ``validation`` and ``test``: what a degenerate
    run reaches.
    """
    environment: dict[str, str]
    """torch, transformers, threads, device, instruction set: what the bitwise promise depends
    on.
    """


class Step(_Event):
    """One optimiser step; steps count from 1."""

    type: Literal["step"] = "step"
    step: int
    train_loss: float
    """The objective on the step's batch before its update: cross entropy in nats, or a
    regression's mean squared error.
    """
    learning_rate: float
    """Rate used by this step (0 at the first step of a linear warm-up)."""
    grad_norm: float
    """Norm of the gradient over all parameters before clipping."""
    part_grad_norms: dict[str, float] = {}
    """The same of each part of the network, from ``embeddings`` to ``head``, at the steps that
    are watched (``evidence.py``).
    """


class Evaluation(_Event):
    """Validation at one of the evenly spaced points."""

    type: Literal["evaluation"] = "evaluation"
    step: int
    valid_loss: float
    metrics: dict[str, float | None]
    """Every metric of the task (accuracy, f1, …; pearson, …) on the validation rows."""
    score: float | None
    is_best: bool


class SplitResult(_Event):
    """Scores of the chosen checkpoint on one split."""

    loss: float
    metrics: dict[str, float | None]
    score: float | None
    confusion: list[list[int]] | None
    """Rows: true label, columns: predicted label, both in the order of ``label_names``; null
    for more than 100 labels, and where a row has not one label.
    """
    per_class: list[ClassScores] | None = None
    """A label each, in the same order; null for a regression and for more than 1,000 labels."""


class Finished(_Event):
    """The run came to its end; its artefacts lie in the spec's output folder."""

    type: Literal["finished"] = "finished"
    best_step: int
    validation: SplitResult
    test: SplitResult | None
    degenerate: bool
    trained_tokens: int
    """Real (not padding) tokens that went through training steps."""
    weights_sha256: str | None
    """Of ``model/model.safetensors``; null where nothing was exported."""
    evidence: Evidence
    """What the diagnosis rests on."""
    diagnosis: list[str]
    """Sentences with their evidence on what looks wrong with the run; empty when nothing does."""


class Paused(_Event):
    """The run waits at its ``stop_step``; its state lies in the spec's output folder."""

    type: Literal["paused"] = "paused"
    step: int
    score: float | None
    """Validation score at this step."""
    degenerate: bool
    trained_tokens: int
    """Real tokens that went through training steps so far."""


class BaselineScore(_Event):
    name: str
    """``tfidf_logistic_regression``, ``tfidf_ridge`` or ``linear_probe``."""
    score: float | None


class BaselinesScored(_Event):
    """The one event of scoring a job's baselines."""

    type: Literal["baselines"] = "baselines"
    scores: dict[str, list[BaselineScore]]
    """By split, ``validation`` and ``test``: the job's metric on the rows that its runs are
    scored on.
    """
    rows: int
    """Training rows that the models were fitted on."""


RunEvent = Started | Step | Evaluation | Finished | Paused
