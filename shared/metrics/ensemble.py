"""Predictions of an ensemble: the mean of its members' scores, and how often members disagree.

The worker scores an ensemble with these functions and the API serves it with the same ones.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from shared.domain.task import Label, TaskType

Scores = npt.NDArray[np.float64]
"""Scores of shape (rows, outputs): probabilities, or the predicted numbers of a regression."""
LABEL_THRESHOLD = 0.5  # probability above which a multi-label prediction contains the label


class ScoreMean:
    """Mean of the members' scores; only one member needs to be in memory at a time."""

    def __init__(self) -> None:
        self._total: Scores | None = None
        self._members = 0

    def add_member(self, scores: Scores) -> None:
        self._total = scores.copy() if self._total is None else self._total + scores
        self._members += 1

    def compute(self) -> Scores:
        """Return the mean. Raises ValueError without members."""
        if self._total is None:
            raise ValueError("an ensemble needs at least one member")
        return self._total / self._members


def average_scores(members: Iterable[Scores]) -> Scores:
    """Return the mean of the members' scores. Raises ValueError without members."""
    mean = ScoreMean()
    for scores in members:
        mean.add_member(scores)
    return mean.compute()


def predict_label(scores: Scores, kind: TaskType) -> Label:
    """Return the label for one row's scores; ties go to the first label, as in torch's argmax."""
    match kind:
        case TaskType.SINGLE_LABEL:
            return int(scores.argmax())
        case TaskType.MULTI_LABEL:
            return tuple(int(label) for label in np.flatnonzero(scores > LABEL_THRESHOLD))
        case TaskType.REGRESSION:
            return float(scores[0])


def measure_pair_disagreement(members: Sequence[Sequence[Label]]) -> float | None:
    """Return the share of rows on which two members predict differently, the mean over all pairs.

    None for fewer than two members, or without rows.
    """
    if len(members) < 2 or not members[0]:
        return None
    pairs = len(members) * (len(members) - 1) / 2
    agreeing = sum(
        votes * (votes - 1) / 2
        for row in zip(*members, strict=True)
        for votes in Counter(row).values()
    )
    return 1 - agreeing / (pairs * len(members[0]))
