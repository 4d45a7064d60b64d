"""Training objectives by task type: scalar losses of a batch's logits and labels.

- Single-label: cross entropy. ``class_weights`` weight the rows of a label: Σ w_y · loss / Σ w_y,
  as torch's ``CrossEntropyLoss``.
- Multi-label: binary cross entropy of each label's logit, averaged over rows and labels.
  ``class_weights`` weight the rows that have the label against those that do not, as
  ``pos_weight`` of torch's ``BCEWithLogitsLoss``.
- Regression: mean squared error in the labels' own unit and scale, so that the exported head
  predicts the numbers themselves. The head starts at the mean of the training labels
  (``set_bias_to_mean``): a fresh head predicts about 0, and at fine-tuning rates the way from
  there to the labels' level would waste many steps. The cosine of two texts starts at the
  labels' range (``set_map_to_range``).

Weights affect the training loss only; evaluation losses are unweighted.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from shared.domain.task import Label, Task, TaskType
from worker.training.model.module_groups import get_family, get_output_layer
from worker.training.model.pair_heads import CosineHead

Objective = Callable[[Tensor, Tensor], Tensor]
"""Loss of logits (rows, outputs) and of labels from ``build_targets``."""
ClassWeights = Literal["none", "balanced"] | dict[str, float]


def get_plain_objective(task_type: TaskType) -> Objective:
    """Return the objective without class weights, which evaluations report."""
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
    """Return the objective with class weights.

    ``labels`` are those of the training rows, which ``balanced`` counts. ``device`` is the device
    of the logits.
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
    """Return one weight per label, in the order of the label names, or None if unweighted.

    Balanced weights with n rows and k labels: n / (k · n_c) for a label with n_c rows, so that
    every label has the same total weight. For multi-label, (n - n_c) / n_c, so that the rows with
    the label weigh as much as those without. A label without rows gets 1, which has no effect.
    """
    if class_weights == "none":
        return None
    if isinstance(class_weights, dict):
        return [class_weights.get(name, 1.0) for name in task.label_names]
    return _compute_balanced_weights(task, labels)


def _compute_balanced_weights(task: Task, labels: Sequence[Label]) -> list[float]:
    rows, names = len(labels), range(len(task.label_names))
    counts = count_labels(labels)
    if task.type is TaskType.MULTI_LABEL:
        return [
            (rows - counts[index]) / counts[index] if 0 < counts[index] < rows else 1.0
            for index in names
        ]
    return [rows / (len(names) * counts[index]) if counts[index] else 1.0 for index in names]


def count_labels(labels: Sequence[Label]) -> Counter[Label]:
    """Count the rows of each label index; a multi-label row counts for each of its labels."""
    return Counter(
        index for label in labels for index in (label if isinstance(label, tuple) else (label,))
    )


def compute_chance_loss(
    task: Task, labels: Sequence[Label], weights: Sequence[float] | None = None
) -> float:
    """Return the training loss of the best constant prediction: label frequencies, or their mean.

    For single-label tasks that is the (weighted) entropy of the labels in nats, for multi-label
    the mean of each label's entropy, for regression the variance of the labels.
    """
    if task.type is TaskType.REGRESSION:
        numbers = torch.tensor(labels, dtype=torch.float64)
        return float((numbers - numbers.mean()).square().mean())
    counts, rows = count_labels(labels), len(labels)
    masses = [
        counts[index] * (1.0 if weights is None else weights[index])
        for index in range(len(task.label_names))
    ]
    if task.type is TaskType.SINGLE_LABEL:
        return _compute_cross_entropy(masses) / sum(masses)
    others = [rows - counts[index] for index in range(len(masses))]
    entropies = (
        _compute_cross_entropy([mass, other]) for mass, other in zip(masses, others, strict=True)
    )
    return sum(entropies) / rows / len(others)


def _compute_cross_entropy(masses: Sequence[float]) -> float:
    """Return -Σ m · log(m / Σ m), in nats."""
    total = sum(masses)
    return -sum(mass * math.log(mass / total) for mass in masses if mass)


def initialize_regression(network: PreTrainedModel, labels: Sequence[Label]) -> None:
    """Bring the predictions of a new regression head to the level of the training labels."""
    head = network.get_submodule(get_family(network).head[-1])
    if isinstance(head, CosineHead):
        set_map_to_range(head, labels)
    else:
        set_bias_to_mean(network, labels)


@torch.no_grad()
def set_map_to_range(head: CosineHead, labels: Sequence[Label]) -> None:
    """Map the cosine 0 to the lowest training label and 1 to the highest.

    Equal labels get a scale of 1, since 0 would leave the encoder without a gradient.
    """
    numbers = cast(Sequence[float], labels)
    head.map.weight.fill_(max(numbers) - min(numbers) or 1.0)
    head.map.bias.fill_(min(numbers))


@torch.no_grad()
def set_bias_to_mean(network: PreTrainedModel, labels: Sequence[Label]) -> None:
    """Set the bias of a regression head's output to the mean of the training labels."""
    get_output_layer(network).bias.fill_(math.fsum(cast(Sequence[float], labels)) / len(labels))
