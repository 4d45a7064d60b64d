"""What looks wrong with a run that ended, in sentences that carry their evidence; empty when nothing does."""

import math
from collections.abc import Sequence

from shared.task import Task
from worker.training.evaluate import Evaluated, Scoring
from worker.training.split import Split

FLAT_LOSS = 0.05  # nats below chance within which a loss counts as not having fallen
FINAL_SHARE = 0.1  # of the steps, over which the closing loss is averaged
MUCH_TRUNCATED = 0.1  # share of the training rows


def diagnose(
    losses: Sequence[float], train: Split, validation: Split, chosen: Evaluated, task: Task, scoring: Scoring
) -> list[str]:
    """``losses`` are those of all training steps, ``chosen`` the validation of the chosen checkpoint."""
    found = [
        _answers_one_label(chosen, task.label_names),
        _no_better_than_constant(chosen, scoring.constant_answer(validation), scoring.metric),
        _loss_stayed_at_chance(losses, train),
        _much_was_truncated(train, task.max_seq_length),
    ]
    return [sentence for sentence in found if sentence is not None]


def _answers_one_label(chosen: Evaluated, label_names: list[str]) -> str | None:
    if len(set(chosen.predictions)) > 1:
        return None
    return f"It answers {label_names[chosen.predictions[0]]!r} to every one of the {len(chosen.predictions)} validation rows."


def _no_better_than_constant(chosen: Evaluated, constant: float | None, metric: str) -> str | None:
    score = chosen.result.score
    if score is None:
        return f"Its {metric} on the validation rows is undefined."
    if constant is None or score > constant:
        return None
    return f"Its {metric} on the validation rows is {score:.3f}; the best constant answer reaches {constant:.3f}."


def _loss_stayed_at_chance(losses: Sequence[float], train: Split) -> str | None:
    """Chance is the entropy of the training labels: the loss of answering their frequencies and not looking at the text."""
    labels = train.labels()
    shares = [labels.count(label) / len(labels) for label in set(labels)]
    chance = -sum(share * math.log(share) for share in shares)
    closing = losses[-max(1, math.ceil(len(losses) * FINAL_SHARE)) :]
    mean = sum(closing) / len(closing)
    if mean < chance - FLAT_LOSS:
        return None
    return (
        f"The training loss did not fall below chance: over the last {len(closing)} of {len(losses)} steps it was {mean:.3f} on "
        f"average, and answering the labels' frequencies costs {chance:.3f}. More steps or a higher rate may help."
    )


def _much_was_truncated(train: Split, max_seq_length: int) -> str | None:
    share = train.truncated() / len(train.rows)
    if share <= MUCH_TRUNCATED:
        return None
    return f"{share:.0%} of the training rows are longer than {max_seq_length} tokens and were cut."
