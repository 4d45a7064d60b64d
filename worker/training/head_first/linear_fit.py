"""A linear layer fitted to given inputs: the training objective with a penalty on the weights.

    mean loss of the rows + 1/2 · Σ (λ · s² + c · ν) · w²

The objective is that of training, class weights included, so this is logistic regression, one
logistic regression per label, or ridge regression. Biases are not penalized.

- s² is the mean square of the inputs, so λ does not depend on their scale. Inputs are neither
  standardized nor, for the penalty, centered: that would give large weights to inputs that hardly
  vary, and the first updates of the encoder would throw the logits about. The few features of
  aligned pairs are the exception: s² is then the variance of each, because all are far from 0,
  vary little, and are worth nothing under small weights.
- ν is the variance that dropout gives to an input in training, and c the largest curvature of the
  loss in a logit. The term is what dropout adds to the mean loss, to second order (Bishop 1995;
  Wager et al. 2013). Without it, a fit to states without dropout fails as soon as training starts.
- λ is chosen by three-fold cross-validation of the loss, from strong to weak, up to the first that
  does worse.

Nothing is random. The work is done in float64 on the CPU.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from shared.domain.task import TaskType
from worker.training.baselines.rows import (
    FOLDS,
    MAX_SELECTION_OUTPUTS,
    MAX_SELECTION_ROWS,
    assign_folds,
    downsample_rows,
)
from worker.training.optim.objective import Objective

PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""Values of λ, the strongest first."""
UNCHOSEN_PENALTY = 0.01
"""Value of λ where there are too few rows, or too many outputs, to choose one."""
LEAST_VARIANCE = 1e-4
"""Variance that every one of few features counts with at least: one that is constant up to rounding
would get a weight of millions. They are cosines, or made of cosines.
"""
MAX_ITERATIONS = 200
GRADIENT_TOLERANCE = 1e-6


class LinearFit(NamedTuple):
    """A fitted linear layer."""

    weight: Tensor
    """Of shape (outputs, inputs), float64."""
    bias: Tensor
    """Of shape (outputs,), float64."""
    penalty: float
    """The chosen λ."""

    def compute_logits(self, inputs: Tensor) -> Tensor:
        """Return logits of shape (rows, outputs) for inputs of shape (rows, inputs)."""
        return functional.linear(inputs, self.weight, self.bias)


class FitProblem(NamedTuple):
    """The rows to fit and the loss to minimize."""

    inputs: Tensor
    """Of shape (rows, inputs), float64."""
    noise: Tensor
    """ν, of shape (inputs,), float64."""
    targets: Tensor
    """As ``build_targets`` returns them."""
    objective: Objective
    """The training objective."""
    task_type: TaskType
    outputs: int
    has_few_features: bool = False
    """Whether the penalty is relative to the variance of each input."""

    def select_rows(self, rows: Tensor) -> "FitProblem":
        return self._replace(inputs=self.inputs[rows], targets=self.targets[rows])

    def compute_strengths(self, penalty: float) -> Tensor:
        """Return λ · s² + c · ν of each input, for λ = ``penalty``."""
        # the loss is a mean over the labels of a multi-label task, the penalty a sum
        terms = self.outputs if self.task_type is TaskType.MULTI_LABEL else 1
        curvature = 2.0 if self.task_type is TaskType.REGRESSION else 0.25
        if self.has_few_features:
            scale = self.inputs.var(dim=0, correction=0).clamp(min=LEAST_VARIANCE)
        else:
            scale = self.inputs.square().mean()
        return (penalty * scale + curvature * self.noise) / terms

    def compute_loss(self, fit: LinearFit) -> float:
        """Return the mean loss of the rows, without penalty."""
        return self.objective(fit.compute_logits(self.inputs), self.targets).item()


def fit_linear_layer(problem: FitProblem, check_stop: Callable[[], None]) -> LinearFit:
    """Choose λ and fit the layer on all rows of the problem.

    ``check_stop`` is called at each evaluation of the loss and may raise.
    """
    penalty = _choose_penalty(problem, check_stop)
    return fit_with_penalty(problem, penalty, check_stop)


def _choose_penalty(problem: FitProblem, check_stop: Callable[[], None]) -> float:
    """Return the λ with the least loss on held-out rows; the stronger one wins a tie."""
    targets = problem.targets.numpy()
    if len(targets) < FOLDS or problem.outputs > MAX_SELECTION_OUTPUTS:
        return UNCHOSEN_PENALTY
    sample = problem.select_rows(torch.from_numpy(downsample_rows(targets, MAX_SELECTION_ROWS)))
    folds = _split_into_folds(sample)
    starts: list[LinearFit | None] = [None] * len(folds)
    best, best_loss = UNCHOSEN_PENALTY, math.inf
    for penalty in PENALTIES:
        for index, (fitted, _) in enumerate(folds):
            starts[index] = fit_with_penalty(fitted, penalty, check_stop, starts[index])
        loss = math.fsum(
            held_out.compute_loss(start) * len(held_out.targets)
            for (_, held_out), start in zip(folds, starts, strict=True)
            if start is not None
        )
        if not loss < best_loss:
            break
        best, best_loss = penalty, loss
    return best


def _split_into_folds(problem: FitProblem) -> list[tuple[FitProblem, FitProblem]]:
    """Return for each fold the rows to fit and the rows held out."""
    folds = assign_folds(problem.targets.numpy())
    pairs = [
        (np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)
    ]
    return [
        (problem.select_rows(torch.from_numpy(a)), problem.select_rows(torch.from_numpy(b)))
        for a, b in pairs
    ]


def fit_with_penalty(
    problem: FitProblem,
    penalty: float,
    check_stop: Callable[[], None],
    start: LinearFit | None = None,
) -> LinearFit:
    """Fit the layer under λ = ``penalty``; ``start`` shortens the way to the same minimum."""
    check_stop()
    if problem.task_type is TaskType.REGRESSION:
        return _solve_ridge(problem, penalty)
    return _minimize_loss(problem, penalty, check_stop, start)


def _solve_ridge(problem: FitProblem, penalty: float) -> LinearFit:
    """Solve the normal equations of mean squared error and penalty."""
    mean, target_mean = problem.inputs.mean(dim=0), problem.targets.double().mean()
    centered = problem.inputs - mean
    # the loss is a mean of squares, whose gradient has a factor of 2 that λ/2 has not
    gram = 2 / len(centered) * (centered.T @ centered)
    gram.diagonal().add_(problem.compute_strengths(penalty))
    gram.diagonal().clamp_(min=torch.finfo(gram.dtype).tiny)  # where all inputs are 0
    moments = 2 / len(centered) * (centered.T @ (problem.targets.double() - target_mean))
    # not lstsq, whose pivots depend on uninitialized memory and differ from call to call
    weight = torch.linalg.solve(gram, moments)
    return LinearFit(weight[None], (target_mean - weight @ mean)[None], penalty)


def _minimize_loss(
    problem: FitProblem, penalty: float, check_stop: Callable[[], None], start: LinearFit | None
) -> LinearFit:
    """Minimize loss and penalty by L-BFGS, on centered inputs of about unit scale."""
    mean = problem.inputs.mean(dim=0)
    scale = problem.inputs.var(dim=0, correction=0).mean().sqrt().item() or 1.0
    inputs = (problem.inputs - mean) / scale
    strengths = problem.compute_strengths(penalty) / scale**2
    weight = inputs.new_zeros(problem.outputs, inputs.shape[1])
    bias = inputs.new_zeros(problem.outputs)
    if start is not None:
        weight, bias = start.weight * scale, start.bias + start.weight @ mean
    parameters = [weight.requires_grad_(), bias.requires_grad_()]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=MAX_ITERATIONS,
        tolerance_grad=GRADIENT_TOLERANCE,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def compute_loss() -> Tensor:
        check_stop()
        optimizer.zero_grad()
        loss = problem.objective(functional.linear(inputs, weight, bias), problem.targets)
        loss = loss + (strengths / 2 * weight.square()).sum()
        loss.backward()
        return loss

    optimizer.step(compute_loss)
    unscaled = weight.detach() / scale
    return LinearFit(unscaled, bias.detach() - unscaled @ mean, penalty)
