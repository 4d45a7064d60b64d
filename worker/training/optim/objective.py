"""What the training makes small, by kind of task: a scalar of a batch's logits and labels.

- Single labels: cross entropy. ``class_weights`` weigh the rows of a label: Σ w_y · loss / Σ
  w_y, as torch's ``CrossEntropyLoss``.
- Multi-label: binary cross entropy of each label's logit, averaged over rows and labels.
  ``class_weights`` weigh the rows that have the label against those that have not, as
  ``pos_weight`` of torch's ``BCEWithLogitsLoss``.
- Regression: mean squared error, in the labels' own unit and scale, so that the exported head
  gives the numbers themselves. The head begins at the mean of the training labels
  (``set_bias_to_mean``): its draw answers about 0, and at the small rates of fine-tuning the
  way from there to the labels' level would cost a good part of the steps and teach nothing.

Weights enter the training loss alone; losses of evaluations are plain.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from shared.domain.task import Label, Task, TaskType
from worker.training.model.module_groups import get_family

Objective = Callable[[Tensor, Tensor], Tensor]
"""Of logits (rows, outputs) and the labels of ``targets``."""
ClassWeights = Literal["none", "balanced"] | dict[str, float]


def build_targets(labels: Sequence[Label], num_labels: int) -> Tensor:
    """The labels as the objectives take them: of shape (rows,), int64 or float32 for a
    regression; or multi-hot (rows, labels), float32.
    """
    if not isinstance(labels[0], tuple):
        return torch.tensor(
            labels, dtype=torch.float32 if isinstance(labels[0], float) else torch.int64
        )
    hot = torch.zeros(len(labels), num_labels)
    for row, indices in enumerate(cast(Sequence[tuple[int, ...]], labels)):
        hot[row, list(indices)] = 1.0
    return hot


def get_plain_objective(task_type: TaskType) -> Objective:
    """Without class weights: what evaluations report."""
    match task_type:
        case TaskType.SINGLE_LABEL:
            return functional.cross_entropy
        case TaskType.MULTI_LABEL:
            return lambda logits, labels: functional.binary_cross_entropy_with_logits(
                logits, labels.to(logits)
            )
        case TaskType.REGRESSION:
            return lambda logits, labels: functional.mse_loss(logits.squeeze(-1), labels.to(logits))


def build_training_objective(
    task: Task,
    class_weights: ClassWeights,
    labels: Sequence[Label],
    device: torch.device | None = None,
) -> Objective:
    """``labels`` are those of the run's own training rows, by which ``balanced`` counts;
    ``device`` is where the logits will be.
    """
    weights = compute_class_weights(task, class_weights, labels)
    if weights is None:
        return get_plain_objective(task.type)
    weight = torch.tensor(weights, device=device)
    if task.type is TaskType.MULTI_LABEL:
        return lambda logits, labels: functional.binary_cross_entropy_with_logits(
            logits, labels.to(logits), pos_weight=weight.to(logits)
        )
    return lambda logits, labels: functional.cross_entropy(logits, labels, weight=weight.to(logits))


def compute_class_weights(
    task: Task, class_weights: ClassWeights, labels: Sequence[Label]
) -> list[float] | None:
    """A weight a label, in the order of the names; None for none.

    Balanced, of n rows and k labels: n / (k · n_c) for a label of n_c rows, so that every label
    weighs the same in sum; for multi-label (n - n_c) / n_c, so that the rows with the label
    weigh as much as those without. A label without rows weighs 1, where it has no say.
    """
    if class_weights == "none":
        return None
    if isinstance(class_weights, dict):
        return [class_weights.get(name, 1.0) for name in task.label_names]
    rows, names = len(labels), range(len(task.label_names))
    counts = count_labels(labels)
    if task.type is TaskType.MULTI_LABEL:
        return [
            (rows - counts[index]) / counts[index] if 0 < counts[index] < rows else 1.0
            for index in names
        ]
    return [rows / (len(names) * counts[index]) if counts[index] else 1.0 for index in names]


def count_labels(labels: Sequence[Label]) -> Counter[Label]:
    """Rows of each label's index; a multi-label row counts for each of its labels."""
    return Counter(
        index for label in labels for index in (label if isinstance(label, tuple) else (label,))
    )


def compute_chance_loss(
    task: Task, labels: Sequence[Label], weights: Sequence[float] | None = None
) -> float:
    """The training loss of the best answer that does not look at the text: the labels'
    frequencies, or their mean.

    For single labels that is the (weighted) entropy of the labels in nats, for multi-label the
    mean of each label's, for a regression the labels' variance.
    """
    if task.type is TaskType.REGRESSION:
        numbers = torch.tensor(labels, dtype=torch.float64)
        return float((numbers - numbers.mean()).square().mean())
    counts, rows = count_labels(labels), len(labels)
    of_label = [
        counts[i] * (1.0 if weights is None else weights[i]) for i in range(len(task.label_names))
    ]
    if task.type is TaskType.SINGLE_LABEL:
        return _compute_cross_entropy(of_label) / sum(of_label)
    others = [rows - counts[i] for i in range(len(of_label))]
    return (
        sum(
            _compute_cross_entropy([mass, other])
            for mass, other in zip(of_label, others, strict=True)
        )
        / rows
        / len(others)
    )


def _compute_cross_entropy(masses: Sequence[float]) -> float:
    """-Σ m · log(m / Σ m), in nats."""
    total = sum(masses)
    return -sum(mass * math.log(mass / total) for mass in masses if mass)


@torch.no_grad()
def set_bias_to_mean(network: PreTrainedModel, labels: Sequence[Label]) -> None:
    """Set the bias of a regression's output to the mean of the training labels."""
    head = network.get_submodule(get_family(network).head[-1])
    output = [module for module in head.modules() if isinstance(module, nn.Linear)][-1]
    output.bias.fill_(math.fsum(cast(Sequence[float], labels)) / len(labels))
