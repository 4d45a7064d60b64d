"""Linear models of given features, with regularization chosen on the training rows only.

Classification is logistic regression with an L2 penalty (one per label for multi-label tasks),
regression is ridge regression, both by scikit-learn. The inverse penalty C is chosen by
cross-validation: for each value, the rows of every fold are predicted by a model fitted, features
included, on the other folds. The predictions of all folds together are scored once with the task's
metric, and the stronger penalty wins a tie. Where the same rows have several views (poolings of an
encoder), the view is chosen first, in the same way, with ``VIEW_INVERSE_PENALTY``. Nothing is
random.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from shared.domain.task import TaskType
from worker.training.baselines.rows import (
    FOLDS,
    MAX_SELECTION_OUTPUTS,
    MAX_SELECTION_ROWS,
    Array,
    assign_folds,
    downsample_rows,
)

ScoreFunction = Callable[[Array, Array], float | None]
"""The task's metric of targets and predictions; larger is better, None is undefined."""
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
VIEW_INVERSE_PENALTY = 1.0
"""Inverse penalty of the models that choose a view: one fit per fold, so that views are cheap."""
MAX_ITERATIONS = 200


class Features(Protocol):
    """A scikit-learn transformer: fitted on training inputs, it maps inputs to a matrix."""

    def fit(self, inputs: Array) -> Self: ...

    def transform(self, inputs: Array) -> Array | csr_matrix: ...


class LinearModel:
    """Features with a linear model on top."""

    def __init__(self, features: Features, task_type: TaskType, inverse_penalty: float) -> None:
        self.inverse_penalty = inverse_penalty
        self._features = features
        self._type = task_type
        self._model: BaseEstimator | None = None

    def fit(self, inputs: Array, targets: Array) -> Self:
        """Fit features and model; inputs have one row per example."""
        matrix = self._features.fit(inputs).transform(inputs)
        with warnings.catch_warnings():
            # a fit that did not converge is still a baseline, and a fold may lack a rare label
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings(
                "ignore", message=r"Label .* is present in all training examples"
            )
            self._model = self._build_estimator(targets).fit(matrix, targets)
        return self

    def predict(self, inputs: Array) -> Array:
        """Return predictions of the targets' type and shape."""
        assert self._model is not None, "fit comes before predict"
        return np.asarray(self._model.predict(self._features.transform(inputs)))

    def _build_estimator(self, targets: Array) -> BaseEstimator:
        logistic = LogisticRegression(C=self.inverse_penalty, max_iter=MAX_ITERATIONS)
        match self._type:
            case TaskType.REGRESSION:
                return Ridge(alpha=1 / self.inverse_penalty)
            case TaskType.MULTI_LABEL:
                return OneVsRestClassifier(logistic)
            case TaskType.SINGLE_LABEL:
                # a fold of very few rows may have one label; logistic regression needs two
                has_one_label = len(np.unique(targets)) == 1
                return DummyClassifier(strategy="most_frequent") if has_one_label else logistic


def fit_linear_model(
    make_features: Callable[[], Features],
    inputs: Array,
    targets: Array,
    task_type: TaskType,
    score: ScoreFunction,
    check_stop: Callable[[], None],
) -> LinearModel:
    """Choose the penalty and fit a model on these rows.

    Depending on the task type, ``targets`` are label indices of shape (rows,), 0 or 1 of shape
    (rows, labels), or numbers of shape (rows,). ``check_stop`` is called before each fit and may
    raise.
    """
    inverse_penalty = 1.0
    if len(targets) >= FOLDS and count_outputs(targets, task_type) <= MAX_SELECTION_OUTPUTS:
        sample = downsample_rows(targets, MAX_SELECTION_ROWS)
        inverse_penalty = _choose_inverse_penalty(
            make_features, inputs[sample], targets[sample], task_type, score, check_stop
        )
    check_stop()
    return LinearModel(make_features(), task_type, inverse_penalty).fit(inputs, targets)


def choose_view(
    make_features: Callable[[], Features],
    views: Mapping[str, Array],
    targets: Array,
    task_type: TaskType,
    score: ScoreFunction,
    check_stop: Callable[[], None],
) -> str:
    """Return the view of the rows whose out-of-fold predictions score best; the first wins a tie.

    Each view has one row per target. ``check_stop`` is called before each fit and may raise.
    """
    best, best_score = next(iter(views)), -math.inf
    if len(views) == 1 or len(targets) < FOLDS:
        return best
    sample = downsample_rows(targets, MAX_SELECTION_ROWS)
    for name, inputs in views.items():
        models = (
            LinearModel(make_features(), task_type, VIEW_INVERSE_PENALTY) for _ in range(FOLDS)
        )
        predictions = _predict_out_of_fold(models, inputs[sample], targets[sample], check_stop)
        current_score = score(targets[sample], predictions)
        if current_score is not None and current_score > best_score:
            best, best_score = name, current_score
    return best


def _choose_inverse_penalty(
    make_features: Callable[[], Features],
    inputs: Array,
    targets: Array,
    task_type: TaskType,
    score: ScoreFunction,
    check_stop: Callable[[], None],
) -> float:
    """Return the inverse penalty whose out-of-fold predictions score best."""
    best, best_score = INVERSE_PENALTIES[0], -math.inf
    for inverse_penalty in INVERSE_PENALTIES:
        models = (LinearModel(make_features(), task_type, inverse_penalty) for _ in range(FOLDS))
        current_score = score(targets, _predict_out_of_fold(models, inputs, targets, check_stop))
        if current_score is not None and current_score > best_score:
            best, best_score = inverse_penalty, current_score
    return best


def _predict_out_of_fold(
    models: Iterator[LinearModel], inputs: Array, targets: Array, check_stop: Callable[[], None]
) -> Array:
    """Return predictions of the rows of every fold by a model fitted on the other folds."""
    folds, predictions = assign_folds(targets), np.empty_like(targets)
    for fold, model in enumerate(models):
        check_stop()
        held_out = folds == fold
        model.fit(inputs[~held_out], targets[~held_out])
        predictions[held_out] = model.predict(inputs[held_out])
    return predictions


def count_outputs(targets: Array, task_type: TaskType) -> int:
    """Return how many outputs the model has per row."""
    match task_type:
        case TaskType.REGRESSION:
            return 1
        case TaskType.MULTI_LABEL:
            return int(targets.shape[1])
        case TaskType.SINGLE_LABEL:
            return len(np.unique(targets))
