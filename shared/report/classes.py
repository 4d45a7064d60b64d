"""Precision, recall and F1 of every label over the seeds."""

from collections.abc import Sequence

from shared.metrics import ClassScores as RunClassScores
from shared.report.base import Interval
from shared.report.details import ClassScores, ClassStatistic
from shared.report.distribution import compute_mean, compute_std, share_interval

CLASS_METRICS = ("precision", "recall", "f1")
ClassRows = Sequence[RunClassScores]
"""The scores of each label of a run."""


def summarize_classes(runs: Sequence[ClassRows]) -> list[ClassScores] | None:
    """Compute mean and standard deviation over runs with the same labels in the same order;
    None without runs.
    """
    if not runs:
        return None
    return [_summarize_class(of_label) for of_label in zip(*runs, strict=True)]


def _summarize_class(runs: ClassRows) -> ClassScores:
    """Summarize the scores of one label in each run."""
    support = compute_mean([float(row.support) for row in runs])
    statistics = {
        name: _build_class_statistic([getattr(row, name) for row in runs]) for name in CLASS_METRICS
    }
    return ClassScores(
        label=runs[0].label,
        support=support,
        **statistics,
        recall_rows_ci95=_estimate_recall_interval(statistics["recall"].mean, support),
    )


def _estimate_recall_interval(recall: float | None, support: float) -> Interval | None:
    """Compute the interval of a recall, which is a share of the rows with the label."""
    return share_interval(recall, support) if recall is not None and support > 0 else None


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
