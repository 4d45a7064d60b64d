"""Labels as tensors, in the form that the training objectives take."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from shared.domain.task import Label


def build_targets(labels: Sequence[Label], num_labels: int) -> Tensor:
    """Convert labels to a tensor for the objective of their task type.

    Single-label: int64 of shape (rows,). Regression: float32 of shape (rows,). Multi-label:
    multi-hot float32 of shape (rows, labels).
    """
    if not isinstance(labels[0], tuple):
        return torch.tensor(
            labels, dtype=torch.float32 if isinstance(labels[0], float) else torch.int64
        )
    hot = torch.zeros(len(labels), num_labels)
    for row, indices in enumerate(cast(Sequence[tuple[int, ...]], labels)):
        hot[row, list(indices)] = 1.0
    return hot
