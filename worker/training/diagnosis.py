"""What looks wrong with a run that ended, in sentences that carry their evidence; empty when nothing does."""

import math

from shared.domain.run_evidence import Evidence
from shared.domain.task import TaskType
from shared.metrics import CORRELATIONS, Scoring
from shared.recipe import Recipe
from worker.training.data.split import Split
from worker.training.evaluation import Evaluated
from worker.training.optim.optimizer import bias_ratio
from worker.training.run_diagnostics import TENTH

MUCH_TRUNCATED = 0.1  # share of the training rows
FAR = 0.25
"""Of a block's own norm: a run of the real encoder that learns moves its blocks by some hundredths of it, one that collapses by 0.3."""


def diagnose(
    evidence: Evidence, validation: Split, chosen: Evaluated, recipe: Recipe, scoring: Scoring
) -> list[str]:
    """``chosen`` is the validation of the chosen checkpoint."""
    found = [
        _answers_alike(chosen, scoring),
        _no_better_than_constant(chosen, scoring.floor(validation.labels()), scoring.metric),
        _loss_rose(evidence, recipe) or _loss_stayed_at_chance(evidence, recipe, scoring.task.type),
        _lower_gradient_vanished(evidence),
        _steps_too_large(evidence, recipe),
        _far_from_pretraining(evidence, recipe),
        _much_was_truncated(evidence, scoring.task.max_seq_length),
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


def _loss_rose(evidence: Evidence, recipe: Recipe) -> str | None:
    if not evidence.unsteady:
        return None
    return (
        f"The training loss rose: it was {evidence.opening_loss:.3f} over the first tenth of the steps, {evidence.highest_loss:.3f} around "
        f"step {evidence.highest_loss_step} and {evidence.closing_loss:.3f} over the last tenth; an answer that does not look at the text "
        f"costs {evidence.chance_loss:.3f}. The rate {recipe.learning_rate:g} is too high for this run."
    )


def _loss_stayed_at_chance(evidence: Evidence, recipe: Recipe, kind: TaskType) -> str | None:
    """Chance is the loss of answering the training labels' frequencies, or their mean, and not looking at the text."""
    if evidence.fell:
        return None
    steps, what = recipe.max_steps, "mean" if kind is TaskType.REGRESSION else "frequencies"
    return (
        f"The training loss did not fall below chance: over the last {math.ceil(steps / TENTH)} of {steps} steps it was "
        f"{evidence.closing_loss:.3f} on average, and answering the labels' {what} costs {evidence.chance_loss:.3f}. More steps or a "
        "higher rate may help."
    )


def _lower_gradient_vanished(evidence: Evidence) -> str | None:
    """The mark of the failed runs of Mosbach et al. 2021 (section 4)."""
    gone = evidence.vanished
    if gone is None:
        return None
    return (
        f"The gradient of the lower blocks vanished: its norm was {gone.first:.1e} at step 1 and {gone.norm:.1e} at step {gone.step}, with "
        "the loss still at chance, so that only the top went on learning. A lower rate or a longer warm-up may help."
    )


def _steps_too_large(evidence: Evidence, recipe: Recipe) -> str | None:
    if recipe.bias_correction or not (evidence.unsteady or evidence.vanished):
        return None
    excess = [
        bias_ratio(step, recipe.adam_beta1, recipe.adam_beta2)
        for step in range(1, recipe.max_steps + 1)
    ]
    largest = max(excess)
    return (
        f"Without Adam's bias correction its steps were up to {largest:.1f} times the rate (at step {excess.index(largest) + 1}), at the "
        f"last still {excess[-1]:.1f} times. Set recipe.bias_correction to true."
    )


def _far_from_pretraining(evidence: Evidence, recipe: Recipe) -> str | None:
    """Said beside another symptom only: who goes far and learns has no complaint."""
    if evidence.fell and not (evidence.unsteady or evidence.vanished):
        return None
    blocks = [distance for part, distance in evidence.distance.items() if part.startswith("block")]
    layers = recipe.reinit_layers
    drawn = range(len(blocks) - layers, len(blocks)) if isinstance(layers, int) else layers
    kept = [distance for index, distance in enumerate(blocks) if index not in drawn]
    if not kept or min(kept) < FAR:
        return None
    return (
        f"Every block moved by at least {min(kept):.0%} of its pre-trained weights' norm: little of the pre-training is left. A lower rate "
        "may help."
    )


def _much_was_truncated(evidence: Evidence, max_seq_length: int) -> str | None:
    if evidence.truncated <= MUCH_TRUNCATED:
        return None
    return f"{evidence.truncated:.0%} of the training rows are longer than {max_seq_length} tokens and were cut."
