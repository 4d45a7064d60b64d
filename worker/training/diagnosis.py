"""What looks wrong with a run that ended, in sentences that carry their evidence; empty when nothing does."""

import math
from collections.abc import Sequence

from shared.metrics import CORRELATIONS, Scoring
from shared.recipe import Recipe
from shared.task import Task, TaskType
from worker.training.evaluate import Evaluated
from worker.training.objective import chance_loss, weights_of
from worker.training.split import Split

FLAT_LOSS = (
    0.05  # nats (regression: share of the variance) below chance within which a loss counts as not having fallen
)
FINAL_SHARE = 0.1  # of the steps, over which the closing loss is averaged
MUCH_TRUNCATED = 0.1  # share of the training rows


def diagnose(
    losses: Sequence[float], train: Split, validation: Split, chosen: Evaluated, recipe: Recipe, scoring: Scoring
) -> list[str]:
    """``losses`` are those of all training steps, ``chosen`` the validation of the chosen checkpoint."""
    found = [
        _answers_alike(chosen, scoring),
        _no_better_than_constant(chosen, scoring.floor(validation.labels()), scoring.metric),
        _loss_stayed_at_chance(losses, train, recipe, scoring.task),
        _much_was_truncated(train, scoring.task.max_seq_length),
    ]
    return [sentence for sentence in found if sentence is not None]


def _answers_alike(chosen: Evaluated, scoring: Scoring) -> str | None:
    if not scoring.answers_alike(chosen.predictions):
        return None
    names = scoring.task.label_names
    match chosen.predictions[0]:
        case float() as number:
            answer = f"{number:.4g}"
        case tuple() as labels:
            answer = " and ".join(repr(names[label]) for label in labels) or "no label"
        case label:
            answer = repr(names[label])
    return f"It answers {answer} to every one of the {len(chosen.predictions)} validation rows."


def _no_better_than_constant(chosen: Evaluated, floor: float | None, metric: str) -> str | None:
    score = chosen.result.score
    if score is None:
        return f"Its {metric} on the validation rows is undefined."
    if floor is None or score > floor:
        return None
    if metric in CORRELATIONS:
        return f"Its {metric} on the validation rows is {score:.3f}: its answers do not rise with the labels."
    return f"Its {metric} on the validation rows is {score:.3f}; the best constant answer reaches {floor:.3f}."


def _loss_stayed_at_chance(losses: Sequence[float], train: Split, recipe: Recipe, task: Task) -> str | None:
    """Chance is the loss of answering the training labels' frequencies, or their mean, and not looking at the text."""
    labels = train.labels()
    chance = chance_loss(task, labels, weights_of(task, recipe.class_weights, labels))
    closing = losses[-max(1, math.ceil(len(losses) * FINAL_SHARE)) :]
    mean = sum(closing) / len(closing)
    margin = FLAT_LOSS * chance if task.type is TaskType.REGRESSION else FLAT_LOSS
    if mean < chance - margin:
        return None
    what = "mean" if task.type is TaskType.REGRESSION else "frequencies"
    return (
        f"The training loss did not fall below chance: over the last {len(closing)} of {len(losses)} steps it was {mean:.3f} on "
        f"average, and answering the labels' {what} costs {chance:.3f}. More steps or a higher rate may help."
    )


def _much_was_truncated(train: Split, max_seq_length: int) -> str | None:
    share = train.truncated() / len(train.rows)
    if share <= MUCH_TRUNCATED:
        return None
    return f"{share:.0%} of the training rows are longer than {max_seq_length} tokens and were cut."
