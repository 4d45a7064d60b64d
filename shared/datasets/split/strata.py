"""Strata of rows: a split distributes the rows of each stratum evenly, because their labels are
alike.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import cast

from shared.domain.task import Label, TaskType

MAX_QUANTILES, MIN_QUANTILE_ROWS = 10, 10
MIN_STRATUM_ROWS = 10
"""A set of labels with fewer rows is not a stratum: a fifth of it would be one row, as of a
hundred other sets.
"""


def assign_strata(labels: Sequence[Label], task_type: TaskType) -> list[int]:
    """Return the stratum number of each row. For single labels it is the label itself.

    Regression: the tenth of the rows that the number falls into by rank, equal numbers
    together; fewer, larger bins if a bin would have fewer than ten rows. Multi-label: the set
    of labels; for a set with fewer than ten rows its rarest label.
    """
    match task_type:
        case TaskType.SINGLE_LABEL:
            return list(cast(Sequence[int], labels))
        case TaskType.REGRESSION:
            return _assign_quantiles(cast(Sequence[float], labels))
        case TaskType.MULTI_LABEL:
            return _assign_label_sets(cast(Sequence[tuple[int, ...]], labels))


def _assign_quantiles(numbers: Sequence[float]) -> list[int]:
    ascending = sorted(numbers)
    bins = max(1, min(MAX_QUANTILES, len(numbers) // MIN_QUANTILE_ROWS))
    return [bisect_left(ascending, number) * bins // len(numbers) for number in numbers]


def _assign_label_sets(label_sets: Sequence[tuple[int, ...]]) -> list[int]:
    rows_of_set = Counter(label_sets)
    rows_of_label = Counter(label for labels in label_sets for label in labels)

    def choose_stratum(labels: tuple[int, ...]) -> tuple[int, ...]:
        if not labels or rows_of_set[labels] >= MIN_STRATUM_ROWS:
            return labels
        return (min(labels, key=lambda label: (rows_of_label[label], label)),)

    chosen = [choose_stratum(labels) for labels in label_sets]
    number = {labels: index for index, labels in enumerate(sorted(set(chosen)))}
    return [number[labels] for labels in chosen]
