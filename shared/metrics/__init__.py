"""Scores of a model's answers: their names by task, their values, and what the best constant answer would reach.

``Scoring`` judges the answers of one job; the functions below it, a module a kind of task, take plain labels and answers. Undefined is
None, never NaN. scikit-learn and scipy compute the scores and are imported where they are used, so that the API process, which needs
the names and the constant answers only, stays light.
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
