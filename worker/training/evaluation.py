"""Loss, answers and scores of the network as it is, on the rows of one split."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shared.domain.task import Label, TaskType
from shared.metrics import Scoring
from worker.training.data.batches import by_length
from worker.training.data.split import Split
from worker.training.errors import Diverged
from worker.training.events import SplitResult
from worker.training.model.forward import Forward
from worker.training.optim.objective import plain_objective, targets

PRESENT = 0.5  # probability above which a multi-label answer holds the label


@dataclass(frozen=True)
class Evaluated:
    """Per row, in the order of the split's rows, what the network answers, and the numbers that sum it up."""

    result: SplitResult
    predictions: Sequence[Label]
    probabilities: Sequence[list[float]]
    """One a label, in the order of the names: over the labels (single) or each its own (multi-label); empty for a regression."""


def evaluate(
    forward: Forward, split: Split, scoring: Scoring, pause: Callable[[], None]
) -> Evaluated:
    """Puts the network into evaluation mode. ``pause`` is called before each batch and may raise."""
    return judged(predict_logits(forward, split, pause), split, scoring)


def judged(logits: Tensor, split: Split, scoring: Scoring) -> Evaluated:
    """``logits`` of ``predict_logits``. Raises Diverged where they are no numbers."""
    labels = split.labels()
    loss = plain_objective(scoring.task.type)(
        logits.double(), targets(labels, scoring.num_labels)
    ).item()
    if not math.isfinite(
        loss
    ):  # the last steps' weights are no numbers any more, though each step's loss still was
        raise Diverged("at an evaluation", loss)
    predictions, probabilities = answers(logits, scoring.task.type)
    metrics = scoring.scores(labels, predictions)
    result = SplitResult(
        loss=loss,
        metrics=metrics,
        score=metrics[scoring.metric],
        confusion=scoring.confusion(labels, predictions),
        per_class=scoring.per_class(labels, predictions),
    )
    return Evaluated(result, predictions, probabilities)


def answers(logits: Tensor, kind: TaskType) -> tuple[Sequence[Label], list[list[float]]]:
    """Predictions and probabilities of logits of shape (rows, outputs), as ``transformers``' pipeline makes them of the same."""
    match kind:
        case TaskType.SINGLE_LABEL:
            return logits.argmax(dim=1).tolist(), logits.softmax(dim=1).tolist()
        case TaskType.MULTI_LABEL:
            probabilities: list[list[float]] = logits.sigmoid().tolist()
            sets = [
                tuple(label for label, p in enumerate(row) if p > PRESENT) for row in probabilities
            ]
            return sets, probabilities
        case TaskType.REGRESSION:
            return logits.squeeze(-1).tolist(), [[] for _ in logits]


@torch.no_grad()
def predict_logits(forward: Forward, split: Split, pause: Callable[[], None]) -> Tensor:
    """On the CPU, of shape (rows of the split, outputs), in the order of the split's rows."""
    forward.eval()
    answered: list[int] = []
    logits: list[Tensor] = []
    for rows in by_length(split.rows, split.text):
        pause()
        logits.append(forward(forward.batch(split.text, rows)))
        answered.extend(rows)
    place = {row: index for index, row in enumerate(answered)}
    return torch.cat(logits)[[place[row] for row in split.rows]].cpu()
