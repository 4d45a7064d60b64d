"""The fitted linear layer equals scikit-learn's models, class weights and penalties included."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from shared.domain.task import Task, TaskType
from tests.worker.training.runs import make_task, never_stop
from worker.training.baselines.rows import Array
from worker.training.data.targets import build_targets
from worker.training.errors import StopRequested
from worker.training.head_first.linear_fit import (
    PENALTIES,
    UNCHOSEN_PENALTY,
    FitProblem,
    fit_linear_layer,
    fit_with_penalty,
)
from worker.training.optim.objective import ClassWeights, build_training_objective
from worker.training.seeding import make_deterministic

ROWS, FEATURES = 90, 5
THREE = make_task(label_names=["a", "b", "c"], positive_label=None)
TWO = make_task()
TAGS = make_task(type=TaskType.MULTI_LABEL, label_names=["a", "b", "c"], positive_label=None)
NUMBERS = make_task(type=TaskType.REGRESSION, label_names=[], positive_label=None)


def draw_inputs(seed: int = 0) -> Tensor:
    """Return inputs of unlike means and scales."""
    draw = torch.Generator().manual_seed(seed)
    unit = torch.randn(ROWS, FEATURES, generator=draw, dtype=torch.float64)
    return unit * torch.linspace(0.2, 2, FEATURES) + torch.linspace(-1, 3, FEATURES)


def draw_labels(task: Task, inputs: Tensor, seed: int = 1) -> list[int | float | tuple[int, ...]]:
    """Return labels that depend on the inputs, with noise."""
    draw = torch.Generator().manual_seed(seed)
    outputs = task.num_outputs
    directions = torch.randn(FEATURES, outputs, generator=draw, dtype=torch.float64)
    noise = torch.randn(ROWS, outputs, generator=draw, dtype=torch.float64)
    scores = (inputs - inputs.mean(dim=0)) @ directions + noise
    match task.type:
        case TaskType.REGRESSION:
            return (100 + 7 * scores[:, 0]).tolist()
        case TaskType.SINGLE_LABEL:
            return scores.argmax(dim=1).tolist()
        case TaskType.MULTI_LABEL:
            return [tuple((row > 0.5).nonzero().flatten().tolist()) for row in scores]


def build_problem(
    task: Task,
    class_weights: ClassWeights = "none",
    inputs: Tensor | None = None,
    noise: Tensor | None = None,
) -> FitProblem:
    inputs = draw_inputs() if inputs is None else inputs
    labels = draw_labels(task, inputs)
    return FitProblem(
        inputs=inputs,
        noise=inputs.new_zeros(inputs.shape[1]) if noise is None else noise,
        targets=build_targets(labels, task.num_outputs),
        objective=build_training_objective(task, class_weights, labels),
        task_type=task.type,
        outputs=task.num_outputs,
    )


def fit_sklearn(
    inputs: Array, targets: Array, weights: Array, strength: float
) -> LogisticRegression:
    """Fit the mean of the weighted losses and strength/2 · Σ w²."""
    weights = weights / weights.sum()
    model = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=10_000)
    return model.fit(inputs, targets, sample_weight=weights)


@pytest.mark.parametrize("penalty", [1.0, 1e-3])
@pytest.mark.parametrize("class_weights", ["none", "balanced", {"b": 5.0}])
def test_one_of_three_labels(penalty: float, class_weights: ClassWeights) -> None:
    problem = build_problem(THREE, class_weights)
    inputs, targets = problem.inputs.numpy(), problem.targets.numpy()
    counts = np.bincount(targets, minlength=3)
    by_label = {"none": np.ones(3), "balanced": ROWS / (3 * counts)}.get(
        str(class_weights), np.array([1.0, 5.0, 1.0])
    )
    expected = fit_sklearn(inputs, targets, by_label[targets], penalty * np.mean(inputs**2))
    fit = fit_with_penalty(problem, penalty, never_stop)
    probabilities = fit.compute_logits(problem.inputs).softmax(dim=1).numpy()
    np.testing.assert_allclose(probabilities, expected.predict_proba(inputs), atol=2e-5)
    np.testing.assert_allclose(fit.weight.numpy(), expected.coef_, atol=1e-4)


def test_two_labels_share_the_weights_of_one_logit() -> None:
    problem = build_problem(TWO)
    inputs, targets = problem.inputs.numpy(), problem.targets.numpy()
    # two opposite rows of weights w/2 have half the squares of one row w
    strength = 0.01 * np.mean(inputs**2) / 2
    expected = fit_sklearn(inputs, targets, np.ones(ROWS), strength)
    fit = fit_with_penalty(problem, 0.01, never_stop)
    np.testing.assert_allclose(fit.weight[1] - fit.weight[0], expected.coef_[0], atol=1e-4)
    torch.testing.assert_close(fit.weight[0], -fit.weight[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_several_labels_are_one_logistic_regression_each(class_weights: ClassWeights) -> None:
    problem = build_problem(TAGS, class_weights)
    inputs = problem.inputs.numpy()
    fit = fit_with_penalty(problem, 0.03, never_stop)
    for label in range(3):
        targets = problem.targets[:, label].int().numpy()
        count = targets.sum()
        positive = 1.0 if class_weights == "none" else (ROWS - count) / count
        weights = np.where(targets == 1, positive, 1.0)
        # sample weights are scaled to a sum of 1 there, and here to a mean of about 1
        strength = 0.03 * np.mean(inputs**2) / weights.mean()
        expected = fit_sklearn(inputs, targets, weights, strength)
        np.testing.assert_allclose(fit.weight[label], expected.coef_[0], atol=1e-4)
        np.testing.assert_allclose(fit.bias[label], expected.intercept_[0], atol=1e-4)


def test_a_number_is_a_ridge_regression() -> None:
    problem = build_problem(NUMBERS)
    inputs = problem.inputs.numpy()
    # scikit-learn adds up squares, and its penalty has no 1/2
    expected = Ridge(alpha=0.1 * np.mean(inputs**2) * ROWS / 2).fit(
        inputs, problem.targets.double().numpy()
    )
    fit = fit_with_penalty(problem, 0.1, never_stop)
    np.testing.assert_allclose(fit.weight[0], expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(fit.bias[0], expected.intercept_, rtol=1e-6)


def test_the_scale_of_inputs_and_numbers_does_not_matter() -> None:
    small, large = build_problem(NUMBERS), build_problem(NUMBERS, inputs=draw_inputs() * 1000)
    same_targets = large._replace(targets=small.targets)
    fits = [fit_linear_layer(problem, never_stop) for problem in (small, same_targets)]
    assert fits[0].penalty == fits[1].penalty
    torch.testing.assert_close(fits[0].weight, fits[1].weight * 1000, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("task", [THREE, NUMBERS], ids=["classes", "number"])
def test_few_features_are_fitted_as_if_each_had_the_variance_one(task: Task) -> None:
    problem = build_problem(task)._replace(has_few_features=True)
    mean, std = problem.inputs.mean(dim=0), problem.inputs.std(dim=0, correction=0)
    standard = (problem.inputs - mean) / std
    fit = fit_with_penalty(problem, 0.1, never_stop)
    # standardized inputs have the mean square 1, so both penalties are the same for them
    expected = fit_with_penalty(
        problem._replace(inputs=standard, has_few_features=False), 0.1, never_stop
    )
    torch.testing.assert_close(
        fit.compute_logits(problem.inputs), expected.compute_logits(standard), rtol=1e-4, atol=1e-4
    )


def test_noise_is_the_mean_loss_under_noisy_inputs() -> None:
    """For squared errors the term is exact: it equals a fit on both signs of the noise."""
    noise = torch.tensor([0.5, 0.0, 1.0, 0.1, 2.0], dtype=torch.float64)
    problem = build_problem(NUMBERS, noise=noise)
    noisy_inputs, targets = [], []
    for index in range(FEATURES):
        for sign in (1, -1):
            # one noisy input at a time, as strong as all together
            shift = torch.zeros(FEATURES, dtype=torch.float64)
            shift[index] = sign * math.sqrt(noise[index].item() * FEATURES)
            noisy_inputs.append(problem.inputs + shift)
            targets.append(problem.targets)
    expected = np.linalg.lstsq(
        np.column_stack([torch.cat(noisy_inputs).numpy(), np.ones(2 * FEATURES * ROWS)]),
        torch.cat(targets).double().numpy(),
    )[0]
    fit = fit_with_penalty(problem, 0.0, never_stop)
    np.testing.assert_allclose(fit.weight[0], expected[:-1], rtol=1e-6)
    np.testing.assert_allclose(fit.bias[0], expected[-1], rtol=1e-6)


def test_a_label_that_dropout_drowns_is_not_learned() -> None:
    quiet, loud = build_problem(TWO), build_problem(TWO, noise=torch.full((FEATURES,), 1e4))
    weights = [fit_linear_layer(problem, never_stop).weight for problem in (quiet, loud)]
    assert weights[1].norm() < 1e-3 * weights[0].norm()


@pytest.mark.parametrize("task", [TWO, TAGS, NUMBERS], ids=["one", "several", "number"])
def test_inputs_that_say_nothing_get_the_strongest_penalty_and_others_a_weaker_one(
    task: Task,
) -> None:
    informative = build_problem(task)
    unrelated = informative._replace(inputs=draw_inputs(seed=7))
    assert fit_linear_layer(unrelated, never_stop).penalty >= 0.3
    chosen = fit_linear_layer(informative, never_stop)
    assert chosen.penalty < 0.3
    assert chosen.penalty in PENALTIES
    assert informative.compute_loss(chosen) < 0.8 * unrelated.compute_loss(
        fit_linear_layer(unrelated, never_stop)
    )


@pytest.mark.parametrize("task", [THREE, TAGS, NUMBERS], ids=["one", "several", "number"])
def test_odd_rows_have_a_finite_fit(task: Task) -> None:
    """Constant inputs, a label without rows, and fewer rows than folds."""
    problem = build_problem(task)
    constant = problem._replace(inputs=torch.zeros(ROWS, FEATURES, dtype=torch.float64))
    assert not fit_linear_layer(constant, never_stop).weight.any()
    absent = problem
    if task is THREE:
        absent = problem._replace(targets=problem.targets.clamp(max=1))
    elif task is TAGS:
        absent = problem._replace(targets=problem.targets * torch.tensor([1.0, 1.0, 0.0]))
    for odd in (absent, problem.select_rows(torch.tensor([0, 1]))):
        fit = fit_linear_layer(odd, never_stop)
        assert fit.weight.isfinite().all()
        assert fit.bias.isfinite().all()
        assert fit.bias.abs().max() < 1e3
    assert fit.penalty == UNCHOSEN_PENALTY


def test_the_fit_is_repeatable_and_can_be_stopped() -> None:
    make_deterministic(1, "cpu")  # as a run does: memory is not cleared before its use
    problem = build_problem(THREE)
    calls = []

    def count_or_stop() -> None:
        calls.append(1)
        if len(calls) == 40:
            raise StopRequested("ftrun-1")

    for task in (THREE, TAGS, NUMBERS):
        same = build_problem(task)
        first, second = (fit_linear_layer(same, never_stop) for _ in range(2))
        assert torch.equal(first.weight, second.weight)
    with pytest.raises(StopRequested):
        fit_linear_layer(problem, count_or_stop)
