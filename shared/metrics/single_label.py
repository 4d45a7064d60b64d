"""Scores of single labels: one class per row, as an index."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class ClassScores(BaseModel):
    """Scores of one label; a division by zero is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    label: str
    precision: float | None
    """Share of the rows predicted as the label that have it."""
    recall: float | None
    """Share of the rows with the label that are predicted as it."""
    f1: float | None
    support: int
    """Rows with the label."""


def compute_scores(
    labels: Sequence[int], predictions: Sequence[int], num_labels: int, positive_index: int | None
) -> dict[str, float | None]:
    """Compute every metric of single labels by name.

    ``positive_index`` is that of the label that binary F1 refers to; it is required for two
    labels and unused otherwise. Macro averages and balanced accuracy run over the classes that
    occur, as with scikit-learn's defaults.
    """
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    found: dict[str, float | None] = {
        "accuracy": float(accuracy_score(labels, predictions)),
        "balanced_accuracy": _compute_balanced_accuracy(labels, predictions),
        "f1_macro": float(f1_score(labels, predictions, average="macro", zero_division=0.0)),
        "f1_micro": float(f1_score(labels, predictions, average="micro", zero_division=0.0)),
        # constant predictions score 0 by convention; with constant labels it is undefined
        "mcc": float(matthews_corrcoef(labels, predictions)) if len(set(labels)) > 1 else None,
    }
    if num_labels == 2:
        found["f1"] = _compute_binary_f1(labels, predictions, positive_index)
    return found


def _compute_binary_f1(
    labels: Sequence[int], predictions: Sequence[int], positive_index: int | None
) -> float | None:
    from sklearn.metrics import f1_score

    if positive_index is None:
        raise ValueError("binary F1 needs the index of the positive label")
    if positive_index not in labels and positive_index not in predictions:  # 0/0
        return None
    return float(f1_score(labels, predictions, pos_label=positive_index, zero_division=0.0))


def compute_constant_score(
    metric: str, labels: Sequence[int], num_labels: int, positive_index: int | None
) -> float | None:
    """Return the best ``metric`` that predicting the same label for every row can reach; None
    if undefined.
    """
    counts = Counter(labels)
    majority = max(counts.values()) / len(labels)
    match metric:
        case "accuracy" | "f1_micro":
            return majority
        case "balanced_accuracy":
            return 1 / len(counts)  # one class has recall 1, the others 0
        case "f1_macro":
            # the other classes that occur have F1 0
            return compute_constant_f1(majority) / len(counts)
        case "mcc":
            return 0.0 if len(counts) > 1 else None
        case "f1":
            if positive_index is None or num_labels != 2:
                raise ValueError("binary F1 needs two labels and the index of the positive one")
            return compute_constant_f1(counts[positive_index] / len(labels))
    raise ValueError(f"{metric!r} is not a metric of single labels")


def compute_perfect_score(
    metric: str, labels: Sequence[int], positive_index: int | None
) -> float | None:
    """Return the ``metric`` of predictions that equal the labels; None if undefined."""
    match metric:
        case "mcc":
            return 1.0 if len(set(labels)) > 1 else None
        case "f1":
            return 1.0 if positive_index in labels else None
        case "accuracy" | "balanced_accuracy" | "f1_macro" | "f1_micro":
            return 1.0
    raise ValueError(f"{metric!r} is not a metric of single labels")


def build_confusion_matrix(
    labels: Sequence[int], predictions: Sequence[int], num_labels: int
) -> list[list[int]]:
    """Count rows as ``[true label][predicted label]``."""
    matrix = [[0] * num_labels for _ in range(num_labels)]
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label][prediction] += 1
    return matrix


def compute_class_scores(labels: Any, predictions: Any, names: Sequence[str]) -> list[ClassScores]:
    """Compute the scores of each label, in the order of ``names``. Labels and predictions are
    indices or indicator matrices, as in scikit-learn.
    """
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        labels, predictions, labels=list(range(len(names))), average=None, zero_division=math.nan
    )
    return [
        ClassScores(
            label=name,
            precision=_to_finite_score(precision),
            recall=_to_finite_score(recall),
            f1=_to_finite_score(f1),
            support=int(support),
        )
        for name, precision, recall, f1, support in zip(names, *columns, strict=True)
    ]


def compute_constant_f1(share: float) -> float:
    """Return the F1 of a class with this share of the rows if every row is predicted as it:
    precision ``share``, recall 1.
    """
    return 2 * share / (1 + share)


def _compute_balanced_accuracy(labels: Sequence[int], predictions: Sequence[int]) -> float:
    """Compute the mean recall over the classes that occur among the labels.
    (``balanced_accuracy_score`` warns about other classes in the predictions.)
    """
    hits = Counter(
        label for label, prediction in zip(labels, predictions, strict=True) if label == prediction
    )
    totals = Counter(labels)
    return sum(hits[label] / totals[label] for label in sorted(totals)) / len(totals)


def _to_finite_score(score: float) -> float | None:
    return None if math.isnan(score) else float(score)
