"""A linear model of given features, its regularisation chosen on the rows it is fitted on and
on no others.

Classification is logistic regression with an L2 penalty (several labels a row: one of them a
label), regression is ridge regression; both scikit-learn's. The inverse penalty C is chosen by
cross-validation: for each value the rows of every fold are answered by a model that was fitted,
features included, on the other folds; the answers of all folds together are scored once by the
task's own metric, and of equal scores the stronger penalty wins. Nothing is drawn at random.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier

from shared.domain.task import TaskType

Array = np.ndarray[Any, Any]
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
FOLDS = 3
MAX_SELECTION_ROWS = 2_000
"""Most rows on which C is chosen; the model itself is fitted on all."""
MAX_SELECTION_OUTPUTS = 100
"""Most labels with which C is chosen: beyond, 18 fits would take minutes, and C is 1."""
MAX_ITERATIONS = 200


class Features(Protocol):
    """What scikit-learn calls a transformer: inputs to a matrix, after it was fitted on
    training inputs.
    """

    def fit(self, inputs: Array) -> Self: ...

    def transform(self, inputs: Array) -> Any: ...


class LinearModel:
    """Features and a linear model on top."""

    def __init__(self, features: Features, task_type: TaskType, inverse_penalty: float) -> None:
        self.inverse_penalty = inverse_penalty
        self._features = features
        self._type = task_type
        self._model: Any = None

    def fit(self, inputs: Array, targets: Array) -> Self:
        """``inputs`` a row an example. ``targets`` as ``fit_linear_model`` has them."""
        matrix = self._features.fit(inputs).transform(inputs)
        with warnings.catch_warnings():
            # a fit that was cut off is a baseline all the same, and a fold may lack a rare label
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings(
                "ignore", message=r"Label .* is present in all training examples"
            )
            self._model = self._build_estimator(targets).fit(matrix, targets)
        return self

    def predict(self, inputs: Array) -> Array:
        """Of the kind and shape of the targets."""
        return np.asarray(self._model.predict(self._features.transform(inputs)))

    def _build_estimator(self, targets: Array) -> Any:
        logistic = LogisticRegression(C=self.inverse_penalty, max_iter=MAX_ITERATIONS)
        match self._type:
            case TaskType.REGRESSION:
                return Ridge(alpha=1 / self.inverse_penalty)
            case TaskType.MULTI_LABEL:
                return OneVsRestClassifier(logistic)
            case TaskType.SINGLE_LABEL:
                one_label = (
                    len(np.unique(targets)) == 1
                )  # a fold of very few rows; logistic regression wants two
                return DummyClassifier(strategy="most_frequent") if one_label else logistic


def fit_linear_model(
    make_features: Callable[[], Features],
    inputs: Array,
    targets: Array,
    task_type: TaskType,
    score: Callable[[Array, Array], float | None],
    check_stop: Callable[[], None],
) -> LinearModel:
    """A model fitted on these rows.

    ``targets``: label indices of shape (rows,), 0 or 1 of shape (rows, labels), or numbers of
    shape (rows,), by the task's type. ``score(targets, answers)`` is the task's metric, the
    larger the better. ``pause`` is called before each fit and may raise.
    """
    chosen = 1.0
    if len(targets) >= FOLDS and count_outputs(targets, task_type) <= MAX_SELECTION_OUTPUTS:
        few = downsample_rows(targets, MAX_SELECTION_ROWS)
        chosen = _choose_inverse_penalty(
            make_features, inputs[few], targets[few], task_type, score, check_stop
        )
    check_stop()
    return LinearModel(make_features(), task_type, chosen).fit(inputs, targets)


def _choose_inverse_penalty(
    make_features: Callable[[], Features],
    inputs: Array,
    targets: Array,
    task_type: TaskType,
    score: Callable[[Array, Array], float | None],
    check_stop: Callable[[], None],
) -> float:
    """The inverse penalty whose out-of-fold answers score best."""
    folds = assign_folds(targets)
    best, best_score = INVERSE_PENALTIES[0], -math.inf
    for inverse_penalty in INVERSE_PENALTIES:
        answers = np.empty_like(targets)
        for fold in range(FOLDS):
            check_stop()
            model = LinearModel(make_features(), task_type, inverse_penalty)
            answers[folds == fold] = model.fit(
                inputs[folds != fold], targets[folds != fold]
            ).predict(inputs[folds == fold])
        reached = score(targets, answers)
        if reached is not None and reached > best_score:
            best, best_score = inverse_penalty, reached
    return best


def count_outputs(targets: Array, task_type: TaskType) -> int:
    """How many numbers the model gives a row."""
    match task_type:
        case TaskType.REGRESSION:
            return 1
        case TaskType.MULTI_LABEL:
            return int(targets.shape[1])
        case TaskType.SINGLE_LABEL:
            return len(np.unique(targets))


def assign_folds(targets: Array) -> Array:
    """The fold of each row: rows in order of their targets, dealt out in turn, so that every
    fold has its share of each label.
    """
    folds = np.empty(len(targets), dtype=int)
    folds[_sort_by_target(targets)] = np.arange(len(targets)) % FOLDS
    return folds


def downsample_rows(targets: Array, max_rows: int) -> Array:
    """At most so many rows, in their order in the file, with the targets distributed as over
    all rows.
    """
    order = _sort_by_target(targets)
    taken = (
        order
        if len(order) <= max_rows
        else order[np.linspace(0, len(order) - 1, max_rows).round().astype(int)]
    )
    return np.sort(taken)


def _sort_by_target(targets: Array) -> Array:
    """Row numbers by target; rows of equal targets stay in order."""
    return np.lexsort(targets.reshape(len(targets), -1).T)
