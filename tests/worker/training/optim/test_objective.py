"""Objectives equal torch's losses, class weights their definition, and chance the best constant."""

import math

import pytest
import torch
from torch import nn

from shared.domain.task import Label, Task, TaskType
from tests.worker.training.runs import make_task
from worker.training.data.targets import build_targets
from worker.training.optim.objective import (
    ClassWeights,
    build_training_objective,
    compute_chance_loss,
    compute_class_weights,
    get_plain_objective,
)

THREE = make_task(label_names=["a", "b", "c"], positive_label=None)
MULTI_LABEL = make_task(type=TaskType.MULTI_LABEL, label_names=["a", "b", "c"], positive_label=None)
REGRESSION = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)


def make_logits(outputs: int, rows: int = 4) -> torch.Tensor:
    return torch.randn(rows, outputs, generator=torch.Generator().manual_seed(0))


def test_plain_losses_equal_torchs() -> None:
    single, sets, numbers = (
        build_targets([0, 2, 1, 0], 3),
        build_targets([(0,), (), (1, 2), (0,)], 3),
        build_targets([0.5, 1.0, 2.0, 3.0], 0),
    )
    assert torch.equal(
        get_plain_objective(TaskType.SINGLE_LABEL)(make_logits(3), single),
        nn.CrossEntropyLoss()(make_logits(3), single),
    )
    assert torch.equal(
        get_plain_objective(TaskType.MULTI_LABEL)(make_logits(3), sets),
        nn.BCEWithLogitsLoss()(make_logits(3), sets),
    )
    assert torch.equal(
        get_plain_objective(TaskType.REGRESSION)(make_logits(1), numbers),
        nn.MSELoss()(make_logits(1)[:, 0], numbers),
    )


@pytest.mark.parametrize("class_weights", ["balanced", {"a": 3.0, "c": 0.5}])
def test_weighted_losses_equal_torchs(class_weights: ClassWeights) -> None:
    labels: list[Label] = [0, 2, 1, 0]
    given = [3.0, 1.0, 0.5] if isinstance(class_weights, dict) else [4 / (3 * 2), 4 / 3, 4 / 3]
    expected = nn.CrossEntropyLoss(weight=torch.tensor(given))(
        make_logits(3), build_targets(labels, 3)
    )
    assert torch.equal(
        build_training_objective(THREE, class_weights, labels)(
            make_logits(3), build_targets(labels, 3)
        ),
        expected,
    )

    sets: list[Label] = [(0,), (), (1, 2), (0,)]
    positives = [3.0, 1.0, 0.5] if isinstance(class_weights, dict) else [1.0, 3.0, 3.0]
    expected_multi_label = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(positives))(
        make_logits(3), build_targets(sets, 3)
    )
    assert torch.equal(
        build_training_objective(MULTI_LABEL, class_weights, sets)(
            make_logits(3), build_targets(sets, 3)
        ),
        expected_multi_label,
    )


def test_balanced_labels_have_equal_total_weight() -> None:
    labels: list[Label] = [0, 0, 0, 0, 0, 0, 1, 1]
    assert compute_class_weights(THREE, "balanced", labels) == pytest.approx([8 / 18, 8 / 6, 1.0])
    assert compute_class_weights(MULTI_LABEL, "balanced", [(0, 1), (0,), (0,)]) == [1.0, 2.0, 1.0]
    assert compute_class_weights(THREE, "none", labels) is None


SINGLE_ROWS: list[Label] = [0, 0, 0, 1, 1, 2]
SET_ROWS: list[Label] = [(0,), (0, 1), (), (0,), (2,), (0, 2)]


@pytest.mark.parametrize("class_weights", ["none", "balanced", {"b": 5.0}])
@pytest.mark.parametrize(
    ("task", "rows"), [(THREE, SINGLE_ROWS), (MULTI_LABEL, SET_ROWS)], ids=["single", "multi"]
)
def test_chance_is_the_least_loss_of_constant_logits(
    task: Task, rows: list[Label], class_weights: ClassWeights
) -> None:
    objective = build_training_objective(task, class_weights, rows)
    constant = torch.zeros(1, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([constant], max_iter=100)

    def evaluate_loss() -> float:
        optimizer.zero_grad()
        loss = objective(constant.expand(len(rows), 3), build_targets(rows, 3))
        loss.backward()
        return loss.item()

    optimizer.step(evaluate_loss)
    assert compute_chance_loss(
        task, rows, compute_class_weights(task, class_weights, rows)
    ) == pytest.approx(evaluate_loss(), abs=1e-4)


def test_the_chance_loss_of_a_regression_is_the_variance() -> None:
    assert compute_chance_loss(REGRESSION, [1.0, 2.0, 6.0]) == pytest.approx((4 + 1 + 9) / 3)
    assert compute_chance_loss(THREE, [0, 1, 2]) == pytest.approx(math.log(3))
