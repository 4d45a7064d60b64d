"""Scores of predictions: the metrics of each task, their values, and the best constant score.

``Scoring`` scores the predictions of one job; the functions below it, one module per kind of
task, take plain labels and predictions. Undefined is None, never NaN. scikit-learn and scipy
are imported where they are used, so that the API process, which needs names and constant scores
only, stays light.
"""

from shared.metrics.names import (
    CORRELATION_METRICS,
    MAJORITY_THRESHOLD,
    METRICS,
    choose_default_metric,
    list_metrics,
)
from shared.metrics.scoring import Scoring
from shared.metrics.single_label import ClassScores, build_confusion_matrix

__all__ = [
    "CORRELATION_METRICS",
    "MAJORITY_THRESHOLD",
    "METRICS",
    "ClassScores",
    "Scoring",
    "build_confusion_matrix",
    "choose_default_metric",
    "list_metrics",
]
