"""Scores of a classifier: their names, their values, and what the best constant answer would reach.

Undefined is None, never NaN. scikit-learn computes the scores and is imported where it is used, so that the API process, which only
needs the names and ``default_metric``, stays light. Regression's names (pearson, spearman, r2) will join ``METRICS`` with its task.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

METRICS = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "mcc")

MAJORITY_LIMIT = 0.6  # share of the largest class above which accuracy says too little and Matthews is the default


def metric_names(num_labels: int) -> tuple[str, ...]:
    """The metrics that a task with so many labels has: ``f1`` is about the positive label, so it needs exactly two."""
    return tuple(name for name in METRICS if name != "f1" or num_labels == 2)


def default_metric(label_counts: Mapping[Any, int]) -> str:
    """``accuracy``, or ``mcc`` when the largest class has more than 60 % of the rows."""
    return "mcc" if max(label_counts.values()) > MAJORITY_LIMIT * sum(label_counts.values()) else "accuracy"


def score_all(
    labels: Sequence[int], predictions: Sequence[int], num_labels: int, positive: int | None
) -> dict[str, float | None]:
    """Every metric of the task by name.

    ``positive`` is the index of the label that binary F1 is about; it must be given for two labels and is not used otherwise.
    Macro averages and balanced accuracy run over the classes that occur, as scikit-learn's defaults do.
    """
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    scores: dict[str, float | None] = {
        "accuracy": float(accuracy_score(labels, predictions)),
        "balanced_accuracy": _balanced_accuracy(labels, predictions, num_labels),
        "f1_macro": float(f1_score(labels, predictions, average="macro", zero_division=0.0)),
        "f1_micro": float(f1_score(labels, predictions, average="micro", zero_division=0.0)),
        # constant predictions score 0 by convention; where the labels themselves are constant there is nothing to correlate with
        "mcc": float(matthews_corrcoef(labels, predictions)) if len(set(labels)) > 1 else None,
    }
    if num_labels == 2:
        if positive is None:
            raise ValueError("binary F1 needs the index of the positive label")
        occurs = positive in labels or positive in predictions  # 0/0 otherwise
        scores["f1"] = float(f1_score(labels, predictions, pos_label=positive, zero_division=0.0)) if occurs else None
    return {name: scores[name] for name in metric_names(num_labels)}


def constant_answer_score(metric: str, labels: Sequence[int], num_labels: int, positive: int | None) -> float | None:
    """The best value of ``metric`` that answering one and the same label for every row can reach; None where it is undefined."""
    counts = Counter(labels)
    majority = max(counts.values()) / len(labels)
    match metric:
        case "accuracy" | "f1_micro":
            return majority
        case "balanced_accuracy":
            return 1 / len(counts)  # one class has recall 1, the others 0
        case "f1_macro":
            return _f1_of_always(majority) / len(counts)  # the other classes that occur have F1 0
        case "mcc":
            return 0.0 if len(counts) > 1 else None
        case "f1":
            if positive is None or num_labels != 2:
                raise ValueError("binary F1 needs two labels and the index of the positive one")
            return _f1_of_always(counts[positive] / len(labels))
    raise ValueError(f"{metric!r} is no metric; there are {', '.join(METRICS)}")


def confusion(labels: Sequence[int], predictions: Sequence[int], num_labels: int) -> list[list[int]]:
    """Counts of rows, ``[true label][predicted label]``."""
    matrix = [[0] * num_labels for _ in range(num_labels)]
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label][prediction] += 1
    return matrix


def _balanced_accuracy(labels: Sequence[int], predictions: Sequence[int], num_labels: int) -> float:
    """Mean recall over the classes that occur among the labels (``balanced_accuracy_score`` warns about others in the predictions)."""
    rows = [(row[label], sum(row)) for label, row in enumerate(confusion(labels, predictions, num_labels))]
    recalls = [right / total for right, total in rows if total]
    return sum(recalls) / len(recalls)


def _f1_of_always(share: float) -> float:
    """F1 of a class that makes up ``share`` of the rows, when every row is answered with it: precision ``share``, recall 1."""
    return 2 * share / (1 + share)
