"""Loss, predictions and scores of a network on the rows of one split."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.domain.task import Label, TaskType
from shared.metrics import Scoring
from shared.metrics.run_result import SplitResult
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split
from worker.training.data.targets import build_targets
from worker.training.errors import TrainingDiverged
from worker.training.model.forward import Forward
from worker.training.optim.objective import get_plain_objective

LABEL_THRESHOLD = 0.5
"""Probability above which a multi-label prediction includes a label."""


@dataclass(frozen=True)
class EvaluationResult:
    """Predictions in the order of the split's rows, and the scores over all of them."""

    result: SplitResult
    predictions: Sequence[Label]
    probabilities: Sequence[list[float]]
    """Per row, one probability per label, in the order of the names; empty for regression.

    They sum to 1 for single-label tasks and are independent for multi-label tasks.
    """


def evaluate_split(
    forward: Forward, split: Split, scoring: Scoring, check_stop: Callable[[], None]
) -> EvaluationResult:
    """Evaluate the network, leaving it in evaluation mode.

    ``check_stop`` is called before each batch and may raise.
    """
    return score_logits(predict_logits(forward, split, check_stop), split, scoring)


def score_logits(logits: Tensor, split: Split, scoring: Scoring) -> EvaluationResult:
    """Score the logits of ``predict_logits``. Raise TrainingDiverged if they are not finite."""
    labels = split.list_labels()
    loss = _compute_finite_loss(logits, labels, scoring)
    predictions, probabilities = decode_logits(logits, scoring.task.type)
    metrics = scoring.compute_scores(labels, predictions)
    result = SplitResult(
        loss=loss,
        metrics=metrics,
        score=metrics[scoring.metric],
        confusion=scoring.build_confusion_matrix(labels, predictions),
        per_class=scoring.compute_class_scores(labels, predictions),
    )
    return EvaluationResult(result, predictions, probabilities)


def _compute_finite_loss(logits: Tensor, labels: Sequence[Label], scoring: Scoring) -> float:
    loss = get_plain_objective(scoring.task.type)(
        logits.double(), build_targets(labels, scoring.num_labels)
    ).item()
    # the update after the last finite training loss can make the weights non-finite
    if not math.isfinite(loss):
        raise TrainingDiverged("at an evaluation", loss)
    return loss


def decode_logits(logits: Tensor, task_type: TaskType) -> tuple[Sequence[Label], list[list[float]]]:
    """Return the predictions and probabilities of logits of shape (rows, outputs).

    They equal those of transformers' text classification pipeline.
    """
    match task_type:
        case TaskType.SINGLE_LABEL:
            return logits.argmax(dim=1).tolist(), logits.softmax(dim=1).tolist()
        case TaskType.MULTI_LABEL:
            probabilities: list[list[float]] = logits.sigmoid().tolist()
            sets = [
                tuple(label for label, p in enumerate(row) if p > LABEL_THRESHOLD)
                for row in probabilities
            ]
            return sets, probabilities
        case TaskType.REGRESSION:
            return logits.squeeze(-1).tolist(), [[] for _ in logits]


@torch.no_grad()
def predict_logits(forward: Forward, split: Split, check_stop: Callable[[], None]) -> Tensor:
    """Return logits on the CPU, of shape (rows of the split, outputs), in the split's order."""
    forward.eval()
    predicted_rows: list[int] = []
    logits: list[Tensor] = []
    for rows in iterate_batches_by_length(split.rows, split.text):
        check_stop()
        logits.append(forward(forward.build_batch(split.text, rows)))
        predicted_rows.extend(rows)
    index_of_row = {row: index for index, row in enumerate(predicted_rows)}
    return torch.cat(logits)[[index_of_row[row] for row in split.rows]].cpu()
