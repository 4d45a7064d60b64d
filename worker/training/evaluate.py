"""Loss, predictions and scores of the network as it is, on the rows of one split; and what makes a run degenerate."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from shared.metrics import confusion, constant_answer_score, score_all
from shared.task import Task
from worker.training.batches import by_length
from worker.training.errors import Diverged
from worker.training.events import SplitResult
from worker.training.split import Split

MAX_CONFUSION = 100  # labels; beyond, a matrix is larger than all the rest of a result and nobody reads it
TOLERANCE = 1e-9  # a score that beats the constant answer by rounding alone does not beat it


@dataclass(frozen=True)
class Scoring:
    """How a task's answers are judged."""

    metric: str
    num_labels: int
    positive: int | None

    def constant_answer(self, split: Split) -> float | None:
        return constant_answer_score(self.metric, split.labels(), self.num_labels, self.positive)


@dataclass(frozen=True)
class Evaluated:
    """Per row, in the order of the split's rows, what the network answers, and the numbers that sum it up."""

    result: SplitResult
    predictions: list[int]
    probabilities: list[list[float]]


def scoring(task: Task, metric: str) -> Scoring:
    positive = None if task.positive_label is None else task.label_names.index(task.positive_label)
    return Scoring(metric, len(task.label_names), positive)


def evaluate(network: PreTrainedModel, split: Split, scoring: Scoring, pause: Callable[[], None]) -> Evaluated:
    """Puts the network into evaluation mode. ``pause`` is called before each batch and may raise."""
    logits = predict_logits(network, split, pause)
    labels = split.labels()
    predictions: list[int] = logits.argmax(dim=1).tolist()
    metrics = score_all(labels, predictions, scoring.num_labels, scoring.positive)
    result = SplitResult(
        loss=_finite(functional.cross_entropy(logits.double(), torch.tensor(labels)).item()),
        metrics=metrics,
        score=metrics[scoring.metric],
        confusion=confusion(labels, predictions, scoring.num_labels) if scoring.num_labels <= MAX_CONFUSION else None,
    )
    return Evaluated(result, predictions, logits.softmax(dim=1).tolist())


def _finite(loss: float) -> float:
    """Raises Diverged: the last steps' weights are no numbers any more, though each step's loss still was."""
    if not math.isfinite(loss):
        raise Diverged("at an evaluation", loss)
    return loss


@torch.no_grad()
def predict_logits(network: PreTrainedModel, split: Split, pause: Callable[[], None]) -> Tensor:
    """On the CPU, of shape (rows of the split, labels), in the order of the split's rows."""
    network.eval()
    answered: list[int] = []
    logits: list[Tensor] = []
    for rows in by_length(split.rows, split.text):
        pause()
        logits.append(network(**split.text.batch(rows).to(network.device).inputs).logits)
        answered.extend(rows)
    place = {row: index for index, row in enumerate(answered)}
    return torch.cat(logits)[[place[row] for row in split.rows]].cpu()


def is_degenerate(evaluated: Evaluated, constant_answer: float | None) -> bool:
    """Whether the run learnt nothing that a constant answer does not know: on validation, at the chosen checkpoint, it answers one
    label only, or its score is no better than the best constant answer's (Mosbach et al. 2021 call it failed)."""
    score = evaluated.result.score
    if len(set(evaluated.predictions)) == 1 or score is None:
        return True
    return constant_answer is not None and score <= constant_answer + TOLERANCE
