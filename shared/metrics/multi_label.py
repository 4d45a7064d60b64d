"""Scores of multi-label predictions: a set of classes per row, as a possibly empty ascending
tuple of indices.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from shared.metrics import single_label
from shared.metrics.single_label import ClassScores, compute_constant_f1

LabelSet = tuple[int, ...]


def compute_scores(
    labels: Sequence[LabelSet], predictions: Sequence[LabelSet], num_labels: int
) -> dict[str, float | None]:
    """Compute every metric of multi-label predictions by name.

    ``accuracy`` is scikit-learn's: the share of rows whose whole set is right. F1 is over the
    pairs of row and label (micro), or the mean over the labels (macro); it is 0 for a label
    that neither occurs nor is predicted.
    """
    from sklearn.metrics import accuracy_score, f1_score

    truth = build_indicator_matrix(labels, num_labels)
    predicted = build_indicator_matrix(predictions, num_labels)
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "f1_macro": float(f1_score(truth, predicted, average="macro", zero_division=0.0)),
        "f1_micro": float(f1_score(truth, predicted, average="micro", zero_division=0.0)),
    }


def compute_constant_score(metric: str, labels: Sequence[LabelSet], num_labels: int) -> float:
    """Return the best ``metric`` that predicting one and the same set for every row can reach."""
    rows = len(labels)
    counts = sorted(Counter(label for row in labels for label in row).values(), reverse=True)
    match metric:
        case "accuracy":
            return max(Counter(labels).values()) / rows
        case "f1_macro":  # each label has its own F1, and always predicting it is the best constant
            return sum(compute_constant_f1(count / rows) for count in counts) / num_labels
        case "f1_micro":  # of all sets of m labels, the m most frequent ones hit most
            hits = accumulate(counts)
            return max(
                (2 * hit / (size * rows + sum(counts)) for size, hit in enumerate(hits, start=1)),
                default=0.0,
            )
    raise ValueError(f"{metric!r} is not a metric of label sets")


def compute_perfect_score(metric: str, labels: Sequence[LabelSet], num_labels: int) -> float:
    """Return the ``metric`` of predictions that equal the labels: F1 is 0 without any label."""
    present = {label for row in labels for label in row}
    match metric:
        case "accuracy":
            return 1.0
        case "f1_macro":
            return len(present) / num_labels
        case "f1_micro":
            return 1.0 if present else 0.0
    raise ValueError(f"{metric!r} is not a metric of label sets")


def compute_class_scores(
    labels: Sequence[LabelSet], predictions: Sequence[LabelSet], names: Sequence[str]
) -> list[ClassScores]:
    return single_label.compute_class_scores(
        build_indicator_matrix(labels, len(names)),
        build_indicator_matrix(predictions, len(names)),
        names,
    )


def build_indicator_matrix(rows: Sequence[LabelSet], num_labels: int) -> Any:
    """Build a sparse matrix of shape (rows, labels) with 1 where the row has the label."""
    from scipy.sparse import csr_matrix

    starts = [0, *accumulate(len(row) for row in rows)]
    columns = [label for row in rows for label in row]
    return csr_matrix(
        ([1] * len(columns), columns, starts), shape=(len(rows), num_labels), dtype="int8"
    )
