"""What a run yields, in order: Started, then Step and Evaluation events, then Finished. Plain data; the caller records them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

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
    """The metric of the best constant answer on ``validation`` and ``test``: what a degenerate run reaches."""
    environment: dict[str, str]
    """torch, transformers, threads, device, instruction set: what the bitwise promise depends on."""


class Step(_Event):
    """One optimiser step; steps count from 1."""

    type: Literal["step"] = "step"
    step: int
    train_loss: float
    """The objective on the step's batch before its update: cross entropy in nats, or a regression's mean squared error."""
    learning_rate: float
    """Rate used by this step (0 at the first step of a linear warm-up)."""
    grad_norm: float
    """Norm of the gradient over all parameters before clipping."""


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
    """Rows: true label, columns: predicted label, both in the order of ``label_names``; null for more than 100 labels, and where a row
    has not one label."""
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
    weights_sha256: str
    """Of ``model/model.safetensors``."""
    diagnosis: list[str]
    """Sentences with their evidence on what looks wrong with the run; empty when nothing does."""


Event = Started | Step | Evaluation | Finished
