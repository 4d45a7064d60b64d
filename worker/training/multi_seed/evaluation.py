"""All seeds of a stack scored on the rows of one split, in one pass over them."""

from collections.abc import Callable

import torch
from torch import Tensor

from shared.metrics import Scoring
from worker.training.data.batches import by_length
from worker.training.data.split import Split
from worker.training.errors import Diverged
from worker.training.evaluation import Evaluated, judged
from worker.training.multi_seed.forward import StackedForward


def evaluate_stack(
    forward: StackedForward, count: int, split: Split, scoring: Scoring, pause: Callable[[], None]
) -> list[Evaluated | Diverged]:
    """Of each of the ``count`` seeds, in their order; puts the stack into evaluation mode. ``pause`` may raise between batches."""
    return [
        _judged(logits, split, scoring) for logits in predict_logits(forward, count, split, pause)
    ]


def _judged(logits: Tensor, split: Split, scoring: Scoring) -> Evaluated | Diverged:
    try:
        return judged(logits, split, scoring)
    except Diverged as diverged:
        return diverged


@torch.no_grad()
def predict_logits(
    forward: StackedForward, count: int, split: Split, pause: Callable[[], None]
) -> Tensor:
    """On the CPU, of shape (K, rows of the split, outputs), in the order of the split's rows."""
    forward.eval()
    answered: list[int] = []
    logits: list[Tensor] = []
    for rows in by_length(split.rows, split.text):
        pause()
        logits.append(forward(forward.batch(split.text, [rows] * count)))
        answered.extend(rows)
    place = {row: index for index, row in enumerate(answered)}
    return torch.cat(logits, dim=1)[:, [place[row] for row in split.rows]].cpu()
