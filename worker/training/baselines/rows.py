"""Rows and targets of linear models: how many, which, and in which folds.

Apart from the models, so that what fits heads need not import scikit-learn, which takes a second.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from shared.domain.task import Task, TaskType
from worker.training.data.split import Split
from worker.training.data.targets import build_targets

Array = npt.NDArray[Any]  # of text, numbers or label indices; numpy has no common type for these
FOLDS = 3
MAX_SELECTION_ROWS = 2_000
"""Maximum of rows used to choose C; the model itself is fitted on all rows."""
MAX_SELECTION_OUTPUTS = 100
"""Maximum of labels for which C is chosen; with more, 18 fits would take minutes, and C is 1."""
MAX_ROWS = 10_000
"""Maximum of training rows to fit on; the probe then costs less than a tenth of 320 steps."""
MAX_TARGETS = 1_000_000
"""Maximum of rows times outputs: many labels mean fewer rows, but at least ``MIN_ROWS``."""
MIN_ROWS = 2_000


def get_max_rows(task: Task) -> int:
    """Return on how many training rows at most a linear model is fitted."""
    return max(MIN_ROWS, min(MAX_ROWS, MAX_TARGETS // count_task_outputs(task)))


def count_task_outputs(task: Task) -> int:
    """Return how many outputs a model of the task has."""
    return 1 if task.type is TaskType.REGRESSION else len(task.label_names)


def build_linear_targets(split: Split, task: Task) -> Array:
    """Return the split's labels in the form that ``fit_linear_model`` takes."""
    labels = split.list_labels()
    if task.type is not TaskType.MULTI_LABEL:
        return np.asarray(labels)
    return np.asarray(build_targets(labels, len(task.label_names)).int().numpy())


def assign_folds(targets: Array) -> Array:
    """Return the fold of each row.

    Rows are sorted by target and dealt out in turn, so that every fold has its share of each
    label.
    """
    folds = np.empty(len(targets), dtype=int)
    folds[_sort_by_target(targets)] = np.arange(len(targets)) % FOLDS
    return folds


def downsample_rows(targets: Array, max_rows: int) -> Array:
    """Return at most ``max_rows`` row numbers, ascending, with the targets' distribution kept."""
    order = _sort_by_target(targets)
    if len(order) > max_rows:
        order = order[np.linspace(0, len(order) - 1, max_rows).round().astype(int)]
    return np.sort(order)


def _sort_by_target(targets: Array) -> Array:
    """Return row numbers sorted by target, stably."""
    return np.lexsort(targets.reshape(len(targets), -1).T)
