"""Events of a run: Started, then Step and Evaluation events, then Finished or Paused.

A run that waits for memory reports MemoryShort before it starts, and one whose head is fitted
first HeadFitted before its first step. Events are plain data;
the caller records them.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.domain.job_facts import BaselineScores
from shared.domain.run_evidence import Evidence, HeadFit
from shared.metrics.run_result import AverageResult, SplitResult


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MemoryShort(_Event):
    """There is too little free memory: the run waits for others, or its stack is smaller."""

    type: Literal["memory_short"] = "memory_short"
    needed_bytes: int
    """Estimated peak of the trainer with this run, or with the whole stack."""
    free_bytes: int
    """What the trainer may use at present."""
    wanted: int = 1
    """Runs that were to be trained side by side."""
    stacked: int = 1
    """Runs that are trained side by side instead; equal to ``wanted`` if the run waits."""


class Started(_Event):
    """The rows are read and the network is ready to train."""

    type: Literal["started"] = "started"
    total_steps: int
    rows: dict[str, int]
    """Rows of each split: ``train``, ``validation`` and, if there is one, ``test``."""
    truncated: dict[str, int]
    """Rows of each split that were truncated to ``max_seq_length`` tokens."""
    majority_score: dict[str, float | None]
    """Score of the best constant prediction on ``validation`` and ``test``."""
    environment: dict[str, str]
    """Versions of torch and transformers, threads, device and instruction set.

    Bitwise equal results require the same environment.
    """


class HeadFitted(_Event):
    """The head was fitted on the frozen encoder, before the first step.

    A run that resumes does not report it again.
    """

    type: Literal["head_fitted"] = "head_fitted"
    fit: HeadFit


class Step(_Event):
    """One optimizer step; steps count from 1."""

    type: Literal["step"] = "step"
    step: int
    train_loss: float
    """Objective on the batch before the update: cross entropy in nats, or mean squared error."""
    learning_rate: float
    """Rate of this step (0 at the first step of a linear warm-up)."""
    grad_norm: float
    """Gradient norm over all parameters, before clipping."""
    part_grad_norms: dict[str, float] = {}
    """Gradient norm of each module group, from ``embeddings`` to ``head``, at monitored steps."""


class Evaluation(_Event):
    """Evaluation on the validation rows, at one of the evenly spaced evaluation steps."""

    type: Literal["evaluation"] = "evaluation"
    step: int
    valid_loss: float
    metrics: dict[str, float | None]
    """Every metric of the task (accuracy, f1, …; pearson, …) on the validation rows."""
    score: float | None
    is_best: bool


class Finished(_Event):
    """The run is complete; its artifacts are in the spec's output folder."""

    type: Literal["finished"] = "finished"
    best_step: int
    validation: SplitResult
    test: SplitResult | None
    degenerate: bool
    trained_tokens: int
    """Tokens, without padding, processed in training steps."""
    weights_sha256: str | None
    """Digest of the weights in ``model/``; null if nothing was exported."""
    evidence: Evidence
    """Measurements that the diagnosis is based on."""
    average: AverageResult | None = None
    """The averaged checkpoints and the best one alone; null unless the recipe averages them."""
    diagnosis: list[str]
    """Sentences about what looks wrong with the run, with their evidence; empty if nothing does."""


class Paused(_Event):
    """The run paused; its resume state is in the spec's output folder."""

    type: Literal["paused"] = "paused"
    step: int
    score: float | None
    """Validation score at this step."""
    degenerate: bool
    trained_tokens: int
    """Tokens, without padding, processed in training steps so far."""


class BaselinesScored(_Event):
    """The only event of scoring a job's baselines."""

    type: Literal["baselines"] = "baselines"
    scores: BaselineScores
    """The job's metric by split, on the same ``validation`` and ``test`` rows as its runs."""
    rows: int
    """Number of training rows that the models were fitted on."""


RunEvent = MemoryShort | Started | HeadFitted | Step | Evaluation | Finished | Paused
