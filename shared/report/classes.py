"""Precision, recall and F1 of every label over the seeds."""

from collections.abc import Sequence

from shared.metrics import ClassScores as RunClassScores
from shared.report.details import ClassScores, ClassStatistic
from shared.report.distribution import compute_mean, compute_std

CLASS_METRICS = ("precision", "recall", "f1")
ClassRows = Sequence[RunClassScores]
"""The scores of each label of a run."""


def summarize_classes(runs: Sequence[ClassRows]) -> list[ClassScores] | None:
    """Compute mean and standard deviation over runs with the same labels in the same order;
    None without runs.
    """
    if not runs:
        return None
    return [
        ClassScores(
            label=of_label[0].label,
            support=compute_mean([float(row.support) for row in of_label]),
            **{
                name: _build_class_statistic([getattr(row, name) for row in of_label])
                for name in CLASS_METRICS
            },
        )
        for of_label in zip(*runs, strict=True)
    ]


def score_classes_from_confusion(
    labels: Sequence[str], matrix: Sequence[Sequence[int]]
) -> list[RunClassScores]:
    """Compute the class scores from one run's confusion matrix (rows: true label), for runs
    that stored only that.
    """
    return [_score_class(label, index, matrix) for index, label in enumerate(labels)]


def _score_class(label: str, index: int, matrix: Sequence[Sequence[int]]) -> RunClassScores:
    """Compute the scores of one label.

    A label that never occurs has no recall, one that is never predicted no precision. F1 is
    2·hits over the sum of both counts.
    """
    hits, support = matrix[index][index], sum(matrix[index])
    predicted = sum(row[index] for row in matrix)
    return RunClassScores(
        label=label,
        support=support,
        precision=hits / predicted if predicted else None,
        recall=hits / support if support else None,
        f1=2 * hits / (support + predicted) if support + predicted else None,
    )


def _build_class_statistic(values: Sequence[float | None]) -> ClassStatistic:
    defined = sorted(value for value in values if value is not None)
    return ClassStatistic(
        mean=compute_mean(defined) if defined else None, std=compute_std(defined), n=len(defined)
    )
