"""What looks wrong with a run that ended, in sentences that carry their evidence; empty when
nothing does.
"""

import math

from shared.domain.run_evidence import Evidence
from shared.domain.task import TaskType
from shared.metrics import CORRELATION_METRICS, Scoring
from shared.recipe import Recipe
from worker.training.data.split import Split
from worker.training.evaluation import EvaluationResult
from worker.training.optim.optimizer import bias_ratio
from worker.training.run_diagnostics import TENTH

MAX_TRUNCATED_SHARE = 0.1  # share of the training rows
FAR_DISTANCE = 0.25
"""Of a block's own norm: a run of the real encoder that learns moves its blocks by some
hundredths of it, one that collapses by 0.3.
"""


def diagnose_run(
    evidence: Evidence,
    validation: Split,
    chosen: EvaluationResult,
    recipe: Recipe,
    scoring: Scoring,
) -> list[str]:
    """``chosen`` is the validation of the chosen checkpoint."""
    found = [
        _describe_constant_answers(chosen, scoring),
        _describe_missing_skill(
            chosen, scoring.compute_score_floor(validation.list_labels()), scoring.metric
        ),
        _describe_rising_loss(evidence, recipe)
        or _describe_chance_loss(evidence, recipe, scoring.task.type),
        _describe_vanished_gradient(evidence),
        _describe_oversized_steps(evidence, recipe),
        _describe_lost_pretraining(evidence, recipe),
        _describe_truncation(evidence, scoring.task.max_seq_length),
    ]
    return [sentence for sentence in found if sentence is not None]


def _describe_constant_answers(chosen: EvaluationResult, scoring: Scoring) -> str | None:
    if not scoring.has_constant_predictions(chosen.predictions):
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


def _describe_missing_skill(
    chosen: EvaluationResult, floor: float | None, metric: str
) -> str | None:
    score = chosen.result.score
    if score is None:
        return f"Its {metric} on the validation rows is undefined."
    if floor is None or score > floor:
        return None
    if metric in CORRELATION_METRICS:
        return (
            f"Its {metric} on the validation rows is {score:.3f}: its answers do not "
            "rise with the labels."
        )
    return (
        f"Its {metric} on the validation rows is {score:.3f}; the best constant "
        f"answer reaches {floor:.3f}."
    )


def _describe_rising_loss(evidence: Evidence, recipe: Recipe) -> str | None:
    if not evidence.unsteady:
        return None
    return (
        f"The training loss rose: it was {evidence.opening_loss:.3f} over the first tenth "
        f"of the steps, {evidence.highest_loss:.3f} around "
        f"step {evidence.highest_loss_step} and {evidence.closing_loss:.3f} over the last "
        "tenth; an answer that does not look at the text "
        f"costs {evidence.chance_loss:.3f}. The rate {recipe.learning_rate:g} is too high "
        "for this run."
    )


def _describe_chance_loss(evidence: Evidence, recipe: Recipe, task_type: TaskType) -> str | None:
    """Chance is the loss of answering the training labels' frequencies, or their mean, and not
    looking at the text.
    """
    if evidence.fell:
        return None
    steps, what = recipe.max_steps, "mean" if task_type is TaskType.REGRESSION else "frequencies"
    return (
        "The training loss did not fall below chance: over the last "
        f"{math.ceil(steps / TENTH)} of {steps} steps it was "
        f"{evidence.closing_loss:.3f} on average, and answering the labels' {what} costs "
        f"{evidence.chance_loss:.3f}. More steps or a "
        "higher rate may help."
    )


def _describe_vanished_gradient(evidence: Evidence) -> str | None:
    """The mark of the failed runs of Mosbach et al. 2021 (section 4)."""
    gone = evidence.vanished
    if gone is None:
        return None
    return (
        f"The gradient of the lower blocks vanished: its norm was {gone.first:.1e} at step "
        f"1 and {gone.norm:.1e} at step {gone.step}, with "
        "the loss still at chance, so that only the top went on learning. A lower rate or "
        "a longer warm-up may help."
    )


def _describe_oversized_steps(evidence: Evidence, recipe: Recipe) -> str | None:
    if recipe.bias_correction or not (evidence.unsteady or evidence.vanished):
        return None
    excess = [
        bias_ratio(step, recipe.adam_beta1, recipe.adam_beta2)
        for step in range(1, recipe.max_steps + 1)
    ]
    largest = max(excess)
    return (
        f"Without Adam's bias correction its steps were up to {largest:.1f} times the rate "
        f"(at step {excess.index(largest) + 1}), at the "
        f"last still {excess[-1]:.1f} times. Set recipe.bias_correction to true."
    )


def _describe_lost_pretraining(evidence: Evidence, recipe: Recipe) -> str | None:
    """Said beside another symptom only: who goes far and learns has no complaint."""
    if evidence.fell and not (evidence.unsteady or evidence.vanished):
        return None
    blocks = [distance for part, distance in evidence.distance.items() if part.startswith("block")]
    layers = recipe.reinit_layers
    drawn = range(len(blocks) - layers, len(blocks)) if isinstance(layers, int) else layers
    kept = [distance for index, distance in enumerate(blocks) if index not in drawn]
    if not kept or min(kept) < FAR_DISTANCE:
        return None
    return (
        f"Every block moved by at least {min(kept):.0%} of its pre-trained weights' norm: "
        "little of the pre-training is left. A lower rate "
        "may help."
    )


def _describe_truncation(evidence: Evidence, max_seq_length: int) -> str | None:
    if evidence.truncated <= MAX_TRUNCATED_SHARE:
        return None
    return (
        f"{evidence.truncated:.0%} of the training rows are longer than "
        f"{max_seq_length} tokens and were cut."
    )
