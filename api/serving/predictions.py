"""Predictions from logits: of one model, or of an ensemble of a job's seeds with disagreement."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from api.serving.classifier import Logits
from shared.domain.task import Label, TaskType
from shared.metrics.ensemble import LABEL_THRESHOLD, Scores, average_scores, predict_label


@dataclass(frozen=True)
class Disagreement:
    """Disagreement between the members of an ensemble on one text; 0 where all agree."""

    vote_entropy: float | None
    """Normalized entropy of the members' votes, from 0 to 1.

    -Σ v/k · log(v/k) / log min(k, labels) over the labels with v of k votes (Engelson and Dagan
    1996). Multi-label: the mean over the labels of the entropy of yes and no. None for a
    regression, whose members do not vote.
    """
    score_std: float
    """Standard deviation (ddof 1) of the predicted label's probability over the members.

    Multi-label: the mean over the labels. Regression: of the predicted number.
    """


@dataclass(frozen=True)
class Prediction:
    """Prediction of a model or an ensemble for one text."""

    predicted: Label
    scores: list[float]
    """Probabilities in the order of the labels: they sum to 1 (single label), or are
    independent (multi-label). For a regression, the predicted number."""
    disagreement: Disagreement | None


def convert_logits(logits: Logits, kind: TaskType) -> Scores:
    """Return scores of shape (rows, outputs): softmax, sigmoid, or the logits themselves."""
    values = logits.astype(np.float64)
    match kind:
        case TaskType.SINGLE_LABEL:
            shifted = np.exp(values - values.max(axis=1, keepdims=True))
            softmax: Scores = shifted / shifted.sum(axis=1, keepdims=True)
            return softmax
        case TaskType.MULTI_LABEL:
            half = np.exp(-np.abs(values))  # exp(-x) would overflow for a large negative logit
            sigmoid: Scores = np.where(values >= 0, 1, half) / (1 + half)
            return sigmoid
        case TaskType.REGRESSION:
            return values


def build_predictions(members: Sequence[Logits], kind: TaskType) -> list[Prediction]:
    """Return one prediction per row: the members' mean score, with their disagreement if any."""
    # (members, rows, outputs)
    scores = np.stack([convert_logits(logits, kind) for logits in members])
    means = average_scores(scores)
    return [
        Prediction(
            predicted=predict_label(means[row], kind),
            scores=means[row].tolist(),
            disagreement=measure_disagreement(scores[:, row], kind) if len(members) > 1 else None,
        )
        for row in range(means.shape[0])
    ]


def measure_disagreement(scores: Scores, kind: TaskType) -> Disagreement:
    """Measure the disagreement of at least two members on one row.

    ``scores`` has the shape (members, outputs).
    """
    members, outputs = scores.shape
    spread = scores.std(axis=0, ddof=1)
    match kind:
        case TaskType.SINGLE_LABEL:
            votes = np.bincount(scores.argmax(axis=1), minlength=outputs) / members
            predicted = int(scores.mean(axis=0).argmax())
            return Disagreement(
                _compute_entropy(votes) / math.log(min(members, outputs)), float(spread[predicted])
            )
        case TaskType.MULTI_LABEL:
            yes_shares = (scores > LABEL_THRESHOLD).mean(axis=0)
            entropies = [
                _compute_entropy(np.array([share, 1 - share])) / math.log(2) for share in yes_shares
            ]
            return Disagreement(math.fsum(entropies) / outputs, float(spread.mean()))
        case TaskType.REGRESSION:
            return Disagreement(None, float(spread[0]))


def _compute_entropy(shares: Scores) -> float:
    """Return -Σ s · log s, in nats."""
    return math.fsum(-share * math.log(share) for share in shares.tolist() if share > 0)
