"""All seeds of a stack scored on the rows of one split, in one pass over them."""

from collections.abc import Callable

import torch
from torch import Tensor

from shared.metrics import Scoring
from worker.training.data.batches import iterate_batches_by_length
from worker.training.data.split import Split
from worker.training.errors import TrainingDiverged
from worker.training.evaluation import EvaluationResult, score_logits
from worker.training.multi_seed.forward import StackedForward


def evaluate_stack(
    forward: StackedForward,
    stack_size: int,
    split: Split,
    scoring: Scoring,
    check_stop: Callable[[], None],
) -> list[EvaluationResult | TrainingDiverged]:
    """Of each of the ``count`` seeds, in their order; puts the stack into evaluation mode.
    ``pause`` may raise between batches.
    """
    return [
        _score_or_diverge(logits, split, scoring)
        for logits in predict_stack_logits(forward, stack_size, split, check_stop)
    ]


def _score_or_diverge(
    logits: Tensor, split: Split, scoring: Scoring
) -> EvaluationResult | TrainingDiverged:
    try:
        return score_logits(logits, split, scoring)
    except TrainingDiverged as diverged:
        return diverged


@torch.no_grad()
def predict_stack_logits(
    forward: StackedForward, stack_size: int, split: Split, check_stop: Callable[[], None]
) -> Tensor:
    """On the CPU, of shape (K, rows of the split, outputs), in the order of the split's rows."""
    forward.eval()
    answered: list[int] = []
    logits: list[Tensor] = []
    for rows in iterate_batches_by_length(split.rows, split.text):
        check_stop()
        logits.append(forward(forward.build_batch(split.text, [rows] * stack_size)))
        answered.extend(rows)
    place = {row: index for index, row in enumerate(answered)}
    return torch.cat(logits, dim=1)[:, [place[row] for row in split.rows]].cpu()
