"""From logits to answers: of one model, or of the seeds of a job together, with how far they disagree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from api.serving.classifier import Logits
from shared.domain.task import Label, TaskType

Scores = npt.NDArray[np.float64]
LABEL_THRESHOLD = 0.5  # probability above which a multi-label answer holds the label


@dataclass(frozen=True)
class Disagreement:
    """How far the members of an ensemble are apart on one text: 0 where all say the same."""

    vote_entropy: float | None
    """Entropy of the members' votes, from 0 to 1: -Σ v/k · log(v/k) / log min(k, labels) over the labels with v of k votes (Engelson and
    Dagan 1996). Multi-label: of yes and no, averaged over the labels. None for a regression, whose members do not vote."""
    score_std: float
    """Standard deviation (ddof 1) over the members of the score of the answer: of its probability; multi-label: averaged over the labels;
    of a regression's number."""


@dataclass(frozen=True)
class Answer:
    predicted: Label
    scores: list[float]
    """Probabilities in the order of the labels, over the labels (single) or each its own (multi-label); of a regression, the number."""
    disagreement: Disagreement | None


def convert_logits(logits: Logits, kind: TaskType) -> Scores:
    """Of shape (rows, outputs): softmax, sigmoid, or as they are."""
    values = logits.astype(np.float64)
    match kind:
        case TaskType.SINGLE_LABEL:
            shifted = np.exp(values - values.max(axis=1, keepdims=True))
            softmax: Scores = shifted / shifted.sum(axis=1, keepdims=True)
            return softmax
        case TaskType.MULTI_LABEL:
            half = np.exp(-np.abs(values))  # of a large negative logit, exp(-x) would overflow
            sigmoid: Scores = np.where(values >= 0, 1, half) / (1 + half)
            return sigmoid
        case TaskType.REGRESSION:
            return values


def build_answers(members: Sequence[Logits], kind: TaskType) -> list[Answer]:
    """An answer a row; of several members their mean score, with how far they disagree."""
    scores = np.stack(
        [convert_logits(logits, kind) for logits in members]
    )  # (members, rows, outputs)
    means = scores.mean(axis=0)
    return [
        Answer(
            predicted=predict_label(means[row], kind),
            scores=means[row].tolist(),
            disagreement=measure_disagreement(scores[:, row], kind) if len(members) > 1 else None,
        )
        for row in range(means.shape[0])
    ]


def predict_label(scores: Scores, kind: TaskType) -> Label:
    """Of one row's scores; of equal ones the first label, as torch's argmax has it."""
    match kind:
        case TaskType.SINGLE_LABEL:
            return int(scores.argmax())
        case TaskType.MULTI_LABEL:
            return tuple(int(label) for label in np.flatnonzero(scores > LABEL_THRESHOLD))
        case TaskType.REGRESSION:
            return float(scores[0])


def measure_disagreement(scores: Scores, kind: TaskType) -> Disagreement:
    """Of at least two members on one row; ``scores`` has the shape (members, outputs)."""
    members, outputs = scores.shape
    spread = scores.std(axis=0, ddof=1)
    match kind:
        case TaskType.SINGLE_LABEL:
            votes = np.bincount(scores.argmax(axis=1), minlength=outputs) / members
            answer = int(scores.mean(axis=0).argmax())
            return Disagreement(
                _compute_entropy(votes) / math.log(min(members, outputs)), float(spread[answer])
            )
        case TaskType.MULTI_LABEL:
            yes = (scores > LABEL_THRESHOLD).mean(axis=0)
            entropies = [
                _compute_entropy(np.array([share, 1 - share])) / math.log(2) for share in yes
            ]
            return Disagreement(math.fsum(entropies) / outputs, float(spread.mean()))
        case TaskType.REGRESSION:
            return Disagreement(None, float(spread[0]))


def _compute_entropy(shares: Scores) -> float:
    """-Σ s · log s, in nats."""
    return math.fsum(-share * math.log(share) for share in shares.tolist() if share > 0)
