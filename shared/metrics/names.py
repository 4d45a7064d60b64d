"""Names of the metrics, which of them a task has, and its default.

The values are computed in ``single_label``, ``multi_label`` and ``regression``. CONTRIBUTING.md
("Add a metric") lists every place that a new metric needs.
"""

from collections.abc import Mapping
from typing import Any

from shared.domain.task import Task, TaskType

METRICS = (
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_micro",
    "mcc",
    "pearson",
    "spearman",
    "r2",
)
"""Metrics by which a job can be scored; higher is better for each."""

METRICS_BY_TASK_TYPE: dict[TaskType, tuple[str, ...]] = {
    TaskType.SINGLE_LABEL: ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "mcc"),
    TaskType.MULTI_LABEL: ("accuracy", "f1_macro", "f1_micro"),
    TaskType.REGRESSION: ("pearson", "spearman", "r2"),
}
CORRELATION_METRICS = frozenset({"pearson", "spearman"})
"""Undefined for constant predictions; a correlation ≤ 0 counts as no skill."""

# share of the largest class above which accuracy says too little and Matthews is the default
MAJORITY_THRESHOLD = 0.6


def list_metrics(task: Task) -> tuple[str, ...]:
    """List the metrics of a task. ``f1`` refers to the positive label, so it needs exactly two
    labels.
    """
    return tuple(
        name
        for name in METRICS_BY_TASK_TYPE[task.type]
        if name != "f1" or task.positive_label is not None
    )


def choose_default_metric(task_type: TaskType, label_counts: Mapping[Any, int]) -> str:
    """Return ``accuracy``, or ``mcc`` if the largest class has more than 60% of the rows;
    ``f1_micro`` for multi-label, where most labels are absent from most rows; ``pearson``
    for regression. ``label_counts`` is used for single labels only.
    """
    match task_type:
        case TaskType.REGRESSION:
            return "pearson"
        case TaskType.MULTI_LABEL:
            return "f1_micro"
        case TaskType.SINGLE_LABEL:
            return (
                "mcc"
                if max(label_counts.values()) > MAJORITY_THRESHOLD * sum(label_counts.values())
                else "accuracy"
            )
