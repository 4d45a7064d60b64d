"""Loss, answers and scores of the network as it is, on the rows of one split."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.domain.task import Label, TaskType
from shared.metrics import Scoring
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split
from worker.training.errors import TrainingDiverged
from worker.training.events import SplitResult
from worker.training.model.forward import Forward
from worker.training.optim.objective import build_targets, get_plain_objective

LABEL_THRESHOLD = 0.5  # probability above which a multi-label answer holds the label


@dataclass(frozen=True)
class EvaluationResult:
    """Per row, in the order of the split's rows, what the network answers, and the numbers that
    sum it up.
    """

    result: SplitResult
    predictions: Sequence[Label]
    probabilities: Sequence[list[float]]
    """One a label, in the order of the names: over the labels (single) or each its own
    (multi-label); empty for a regression.
    """


def evaluate_split(
    forward: Forward, split: Split, scoring: Scoring, check_stop: Callable[[], None]
) -> EvaluationResult:
    """Puts the network into evaluation mode. ``pause`` is called before each batch and may
    raise.
    """
    return score_logits(predict_logits(forward, split, check_stop), split, scoring)


def score_logits(logits: Tensor, split: Split, scoring: Scoring) -> EvaluationResult:
    """``logits`` of ``predict_logits``. Raises Diverged where they are no numbers."""
    labels = split.list_labels()
    loss = get_plain_objective(scoring.task.type)(
        logits.double(), build_targets(labels, scoring.num_labels)
    ).item()
    if not math.isfinite(
        loss
    ):  # the last steps' weights are no numbers any more, though each step's loss still was
        raise TrainingDiverged("at an evaluation", loss)
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


def decode_logits(logits: Tensor, task_type: TaskType) -> tuple[Sequence[Label], list[list[float]]]:
    """Predictions and probabilities of logits of shape (rows, outputs), as ``transformers``'
    pipeline makes them of the same.
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
    """On the CPU, of shape (rows of the split, outputs), in the order of the split's rows."""
    forward.eval()
    answered: list[int] = []
    logits: list[Tensor] = []
    for rows in iterate_batches_by_length(split.rows, split.text):
        check_stop()
        logits.append(forward(forward.build_batch(split.text, rows)))
        answered.extend(rows)
    place = {row: index for index, row in enumerate(answered)}
    return torch.cat(logits)[[place[row] for row in split.rows]].cpu()
