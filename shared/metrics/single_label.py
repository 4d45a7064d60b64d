"""Scores of single labels: one class a row, as an index."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict


class ClassScores(BaseModel):
    """How one label was answered; undefined (nothing to divide by) is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    label: str
    precision: float | None
    """Share of the rows answered with it that have it."""
    recall: float | None
    """Share of the rows that have it that are answered with it."""
    f1: float | None
    support: int
    """Rows that have it."""


def compute_scores(
    labels: Sequence[int], predictions: Sequence[int], num_labels: int, positive_index: int | None
) -> dict[str, float | None]:
    """Every metric of single labels by name.

    ``positive`` is the index of the label that binary F1 is about; it must be given for two labels and is not used otherwise.
    Macro averages and balanced accuracy run over the classes that occur, as scikit-learn's defaults do.
    """
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    found: dict[str, float | None] = {
        "accuracy": float(accuracy_score(labels, predictions)),
        "balanced_accuracy": _compute_balanced_accuracy(labels, predictions),
        "f1_macro": float(f1_score(labels, predictions, average="macro", zero_division=0.0)),
        "f1_micro": float(f1_score(labels, predictions, average="micro", zero_division=0.0)),
        # constant predictions score 0 by convention; where the labels themselves are constant there is nothing to correlate with
        "mcc": float(matthews_corrcoef(labels, predictions)) if len(set(labels)) > 1 else None,
    }
    if num_labels == 2:
        if positive_index is None:
            raise ValueError("binary F1 needs the index of the positive label")
        occurs = positive_index in labels or positive_index in predictions  # 0/0 otherwise
        found["f1"] = (
            float(f1_score(labels, predictions, pos_label=positive_index, zero_division=0.0))
            if occurs
            else None
        )
    return found


def compute_constant_score(
    metric: str, labels: Sequence[int], num_labels: int, positive_index: int | None
) -> float | None:
    """The best value of ``metric`` that answering one and the same label for every row can reach; None where it is undefined."""
    counts = Counter(labels)
    majority = max(counts.values()) / len(labels)
    match metric:
        case "accuracy" | "f1_micro":
            return majority
        case "balanced_accuracy":
            return 1 / len(counts)  # one class has recall 1, the others 0
        case "f1_macro":
            return compute_constant_f1(majority) / len(
                counts
            )  # the other classes that occur have F1 0
        case "mcc":
            return 0.0 if len(counts) > 1 else None
        case "f1":
            if positive_index is None or num_labels != 2:
                raise ValueError("binary F1 needs two labels and the index of the positive one")
            return compute_constant_f1(counts[positive_index] / len(labels))
    raise ValueError(f"{metric!r} is no metric of single labels")


def build_confusion_matrix(
    labels: Sequence[int], predictions: Sequence[int], num_labels: int
) -> list[list[int]]:
    """Counts of rows, ``[true label][predicted label]``."""
    matrix = [[0] * num_labels for _ in range(num_labels)]
    for label, prediction in zip(labels, predictions, strict=True):
        matrix[label][prediction] += 1
    return matrix


def compute_class_scores(labels: Any, predictions: Any, names: Sequence[str]) -> list[ClassScores]:
    """A row a label, in the order of ``names``; labels and predictions as scikit-learn takes them: indices, or indicator matrices."""
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
    """F1 of a class that makes up ``share`` of the rows, when every row is answered with it: precision ``share``, recall 1."""
    return 2 * share / (1 + share)


def _compute_balanced_accuracy(labels: Sequence[int], predictions: Sequence[int]) -> float:
    """Mean recall over the classes that occur among the labels (``balanced_accuracy_score`` warns about others in the predictions)."""
    hits = Counter(
        label for label, prediction in zip(labels, predictions, strict=True) if label == prediction
    )
    totals = Counter(labels)
    return sum(hits[label] / totals[label] for label in sorted(totals)) / len(totals)


def _to_finite_score(score: float) -> float | None:
    return None if math.isnan(score) else float(score)
