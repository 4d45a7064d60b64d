"""How the answers of one job are judged, whatever its kind of task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from shared.domain.task import Label, Task, TaskType
from shared.metrics import multi_label, regression, single_label
from shared.metrics.multi_label import LabelSet
from shared.metrics.names import CORRELATIONS
from shared.metrics.single_label import ClassScores

TOLERANCE = 1e-9  # a score that beats the constant answer by rounding alone does not beat it
MAX_CONFUSION = (
    100  # labels; beyond, a matrix is larger than all the rest of a result and nobody reads it
)
MAX_CLASSES = 1000  # labels that are scored one by one


@dataclass(frozen=True)
class Scoring:
    """The task and the metric that its answers are judged by. Labels and predictions are those of ``shared.domain.task.Label``."""

    task: Task
    metric: str

    def scores(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> dict[str, float | None]:
        """Every metric of the task by name; None where one is undefined."""
        match self.task.type:
            case TaskType.SINGLE_LABEL:
                return single_label.scores(
                    _indices(labels), _indices(predictions), self.num_labels, self.positive
                )
            case TaskType.MULTI_LABEL:
                return multi_label.scores(_sets(labels), _sets(predictions), self.num_labels)
            case TaskType.REGRESSION:
                return regression.scores(_numbers(labels), _numbers(predictions))

    def constant_answer(self, labels: Sequence[Label]) -> float | None:
        """The best value of the metric that one and the same answer to every row can reach; None where it is undefined."""
        match self.task.type:
            case TaskType.SINGLE_LABEL:
                return single_label.constant_answer(
                    self.metric, _indices(labels), self.num_labels, self.positive
                )
            case TaskType.MULTI_LABEL:
                return multi_label.constant_answer(self.metric, _sets(labels), self.num_labels)
            case TaskType.REGRESSION:
                return regression.constant_answer(self.metric, _numbers(labels))

    def floor(self, labels: Sequence[Label]) -> float | None:
        """What a score must exceed to mean anything: the best constant answer's, or of a correlation, which such an answer has none
        of, 0."""
        return 0.0 if self.metric in CORRELATIONS else self.constant_answer(labels)

    def answers_alike(self, predictions: Sequence[Label]) -> bool:
        """Whether every row is answered the same."""
        if self.task.type is TaskType.REGRESSION:
            return regression.is_constant(_numbers(predictions))
        return len(set(predictions)) == 1

    def is_degenerate(
        self, labels: Sequence[Label], predictions: Sequence[Label], score: float | None
    ) -> bool:
        """Whether the answers know nothing that a constant answer does not: they are all alike, or their score is undefined or no
        better than ``floor`` (Mosbach et al. 2021 call such a run failed)."""
        if score is None or self.answers_alike(predictions):
            return True
        floor = self.floor(labels)
        return floor is not None and score <= floor + TOLERANCE

    def confusion(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> list[list[int]] | None:
        """Counts of rows, ``[true label][predicted label]``; None but for single labels of at most 100 names."""
        if self.task.type is not TaskType.SINGLE_LABEL or self.num_labels > MAX_CONFUSION:
            return None
        return single_label.confusion(_indices(labels), _indices(predictions), self.num_labels)

    def per_class(
        self, labels: Sequence[Label], predictions: Sequence[Label]
    ) -> list[ClassScores] | None:
        """Precision, recall, F1 and rows of every label; None for a regression, and for more than 1,000 labels."""
        names = self.task.label_names
        if self.task.type is TaskType.REGRESSION or len(names) > MAX_CLASSES:
            return None
        if self.task.type is TaskType.MULTI_LABEL:
            return multi_label.scores_per_label(_sets(labels), _sets(predictions), names)
        return single_label.per_class(_indices(labels), _indices(predictions), names)

    @property
    def num_labels(self) -> int:
        return len(self.task.label_names)

    @property
    def positive(self) -> int | None:
        """Index of the label that binary F1 is about."""
        positive = self.task.positive_label
        return None if positive is None else self.task.label_names.index(positive)


# A task's labels are all of its own kind; the type checker cannot know.


def _indices(labels: Sequence[Label]) -> Sequence[int]:
    return cast(Sequence[int], labels)


def _sets(labels: Sequence[Label]) -> Sequence[LabelSet]:
    return cast(Sequence[LabelSet], labels)


def _numbers(labels: Sequence[Label]) -> Sequence[float]:
    return cast(Sequence[float], labels)
