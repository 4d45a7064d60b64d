"""Which rows a split should share out evenly: rows of one stratum are alike in their label."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import cast

from shared.domain.task import Label, TaskType

QUANTILES, ROWS_OF_QUANTILE = 10, 10
RARE = 10
"""Rows below which a set of labels is no stratum of its own: a fifth of them would be one row, as of each of a hundred other sets."""


def strata_of(labels: Sequence[Label], kind: TaskType) -> list[int]:
    """A stratum a row, by number. Single labels: the label itself.

    Regression: the tenth of the rows that the number falls into by its rank, equal numbers together; fewer, larger bins where a bin
    would have fewer than ten rows. Multi-label: the set of labels; of a set with fewer than ten rows its rarest label.
    """
    match kind:
        case TaskType.SINGLE_LABEL:
            return list(cast(Sequence[int], labels))
        case TaskType.REGRESSION:
            return _quantiles(cast(Sequence[float], labels))
        case TaskType.MULTI_LABEL:
            return _label_sets(cast(Sequence[tuple[int, ...]], labels))


def _quantiles(numbers: Sequence[float]) -> list[int]:
    ascending = sorted(numbers)
    bins = max(1, min(QUANTILES, len(numbers) // ROWS_OF_QUANTILE))
    return [bisect_left(ascending, number) * bins // len(numbers) for number in numbers]


def _label_sets(sets: Sequence[tuple[int, ...]]) -> list[int]:
    rows_of_set = Counter(sets)
    rows_of_label = Counter(label for labels in sets for label in labels)

    def stratum(labels: tuple[int, ...]) -> tuple[int, ...]:
        if not labels or rows_of_set[labels] >= RARE:
            return labels
        return (min(labels, key=lambda label: (rows_of_label[label], label)),)

    chosen = [stratum(labels) for labels in sets]
    number = {labels: index for index, labels in enumerate(sorted(set(chosen)))}
    return [number[labels] for labels in chosen]
