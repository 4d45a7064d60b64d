"""Which metrics there are, which of them a task has, and which is its default."""

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
"""What a job can be scored by; more is better for each."""

METRICS_BY_TASK_TYPE: dict[TaskType, tuple[str, ...]] = {
    TaskType.SINGLE_LABEL: ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "mcc"),
    TaskType.MULTI_LABEL: ("accuracy", "f1_macro", "f1_micro"),
    TaskType.REGRESSION: ("pearson", "spearman", "r2"),
}
CORRELATION_METRICS = frozenset({"pearson", "spearman"})
"""Of a constant answer these are undefined, and one of 0 or less is none."""

MAJORITY_THRESHOLD = 0.6  # share of the largest class above which accuracy says too little and Matthews is the default


def list_metrics(task: Task) -> tuple[str, ...]:
    """The metrics that this task can be scored by: ``f1`` is about the positive label, so it needs exactly two."""
    return tuple(
        name
        for name in METRICS_BY_TASK_TYPE[task.type]
        if name != "f1" or task.positive_label is not None
    )


def choose_default_metric(task_type: TaskType, label_counts: Mapping[Any, int]) -> str:
    """``accuracy``, or ``mcc`` when the largest class has more than 60 % of the rows; ``f1_micro`` for multi-label, where most labels are
    absent from most rows; ``pearson`` for regression. ``count_labels`` are looked at for single labels only."""
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
