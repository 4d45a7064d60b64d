"""Scoring of a job's predictions under its task, and the definition of a degenerate run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from shared.domain.task import Label, Task, TaskType
from shared.metrics import multi_label, regression, single_label
from shared.metrics.multi_label import LabelSet
from shared.metrics.names import CORRELATION_METRICS
from shared.metrics.single_label import ClassScores

SCORE_TOLERANCE = 1e-9  # a score that exceeds the constant one by rounding alone does not beat it
MAX_CONFUSION_LABELS = (
    100  # labels; a larger matrix would outweigh the rest of a result and nobody reads it
)
MAX_SCORED_CLASSES = 1000  # labels that are scored one by one


@dataclass(frozen=True)
class Scoring:
    """A task and the metric that scores it. Labels and predictions are of type
    ``shared.domain.task.Label``.
    """

    task: Task
    metric: str

    def compute_scores(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> dict[str, float | None]:
        """Compute every metric of the task by name; None where one is undefined."""
        match self.task.type:
            case TaskType.SINGLE_LABEL:
                return single_label.compute_scores(
                    _to_class_indices(labels),
                    _to_class_indices(predictions),
                    self.num_labels,
                    self.positive_index,
                )
            case TaskType.MULTI_LABEL:
                return multi_label.compute_scores(
                    _to_label_sets(labels), _to_label_sets(predictions), self.num_labels
                )
            case TaskType.REGRESSION:
                return regression.compute_scores(_to_numbers(labels), _to_numbers(predictions))

    def compute_constant_score(self, labels: Sequence[Label]) -> float | None:
        """Return the best value of the metric that a constant prediction can reach; None if
        undefined.
        """
        match self.task.type:
            case TaskType.SINGLE_LABEL:
                return single_label.compute_constant_score(
                    self.metric, _to_class_indices(labels), self.num_labels, self.positive_index
                )
            case TaskType.MULTI_LABEL:
                return multi_label.compute_constant_score(
                    self.metric, _to_label_sets(labels), self.num_labels
                )
            case TaskType.REGRESSION:
                return regression.compute_constant_score(self.metric, _to_numbers(labels))

    def compute_perfect_score(self, labels: Sequence[Label]) -> float | None:
        """Return the value of the metric if every prediction is right; None if undefined."""
        match self.task.type:
            case TaskType.SINGLE_LABEL:
                return single_label.compute_perfect_score(
                    self.metric, _to_class_indices(labels), self.positive_index
                )
            case TaskType.MULTI_LABEL:
                return multi_label.compute_perfect_score(
                    self.metric, _to_label_sets(labels), self.num_labels
                )
            case TaskType.REGRESSION:
                return regression.compute_perfect_score(self.metric, _to_numbers(labels))

    def compute_score_floor(self, labels: Sequence[Label]) -> float | None:
        """Return the score that a useful model must exceed: the best constant score, or 0 for a
        correlation, which a constant prediction does not have.
        """
        return 0.0 if self.metric in CORRELATION_METRICS else self.compute_constant_score(labels)

    def has_constant_predictions(self, predictions: Sequence[Label]) -> bool:
        """Return whether every row has the same prediction."""
        if self.task.type is TaskType.REGRESSION:
            return regression.is_constant(_to_numbers(predictions))
        return len(set(predictions)) == 1

    def is_degenerate(
        self, labels: Sequence[Label], predictions: Sequence[Label], score: float | None
    ) -> bool:
        """Return whether the predictions are no better than a constant one: all are equal, or
        their score is undefined or not above ``compute_score_floor`` (Mosbach et al. 2021 call
        such a run failed).
        """
        if score is None or self.has_constant_predictions(predictions):
            return True
        floor = self.compute_score_floor(labels)
        return floor is not None and score <= floor + SCORE_TOLERANCE

    def build_confusion_matrix(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> list[list[int]] | None:
        """Count rows as ``[true label][predicted label]``; None except for single labels of at
        most 100 names.
        """
        if self.task.type is not TaskType.SINGLE_LABEL or self.num_labels > MAX_CONFUSION_LABELS:
            return None
        return single_label.build_confusion_matrix(
            _to_class_indices(labels), _to_class_indices(predictions), self.num_labels
        )

    def compute_class_scores(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> list[ClassScores] | None:
        """Compute precision, recall, F1 and rows of every label; None for a regression, or for
        more than 1,000 labels.
        """
        names = self.task.label_names
        if self.task.type is TaskType.REGRESSION or len(names) > MAX_SCORED_CLASSES:
            return None
        if self.task.type is TaskType.MULTI_LABEL:
            return multi_label.compute_class_scores(
                _to_label_sets(labels), _to_label_sets(predictions), names
            )
        return single_label.compute_class_scores(
            _to_class_indices(labels), _to_class_indices(predictions), names
        )

    @property
    def num_labels(self) -> int:
        return len(self.task.label_names)

    @property
    def positive_index(self) -> int | None:
        """Return the index of the label that binary F1 refers to."""
        positive = self.task.positive_label
        return None if positive is None else self.task.label_names.index(positive)


# a task's labels are all of its own kind, which the type checker cannot know


def _to_class_indices(labels: Sequence[Label]) -> Sequence[int]:
    return cast(Sequence[int], labels)


def _to_label_sets(labels: Sequence[Label]) -> Sequence[LabelSet]:
    return cast(Sequence[LabelSet], labels)


def _to_numbers(labels: Sequence[Label]) -> Sequence[float]:
    return cast(Sequence[float], labels)
