"""Diagnosis of a finished run: sentences, with their evidence, about what looks wrong.

Whether a run is degenerate is decided in ``shared.metrics`` (``Scoring.is_degenerate``).
"""

import math

from shared.domain.run_evidence import Evidence
from shared.domain.task import TaskType
from shared.domain.wording import format_count
from shared.metrics import CORRELATION_METRICS, Scoring
from shared.recipe import Recipe
from worker.training.data.split import Split
from worker.training.evaluation import EvaluationResult
from worker.training.optim.optimizer import compute_bias_ratio
from worker.training.run_diagnostics import TENTH

MAX_TRUNCATED_SHARE = 0.1
"""Share of the training rows above which truncation is reported."""
FAR_DISTANCE = 0.25
"""Distance from the start, relative to a block's norm, that counts as far.

With the real encoder, a run that learns moves its blocks by a few hundredths, one that collapses by
0.3.
"""


def diagnose_run(
    evidence: Evidence,
    validation: Split,
    chosen: EvaluationResult,
    recipe: Recipe,
    scoring: Scoring,
) -> list[str]:
    """Return the sentences that apply; ``chosen`` evaluates the chosen checkpoint."""
    sentences = [
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
    return [sentence for sentence in sentences if sentence is not None]


def _describe_constant_answers(chosen: EvaluationResult, scoring: Scoring) -> str | None:
    if not scoring.has_constant_predictions(chosen.predictions):
        return None
    names = scoring.task.label_names
    match chosen.predictions[0]:
        case float() as number:
            prediction = f"{number:.4g}"
        case tuple() as labels:
            prediction = " and ".join(repr(names[label]) for label in labels) or "no label"
        case label:
            prediction = repr(names[label])
    return f"It predicts {prediction} for all {len(chosen.predictions)} validation rows."


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
            f"Its {metric} on the validation rows is {score:.3f}: its predictions do not rise with "
            "the labels."
        )
    return (
        f"Its {metric} on the validation rows is {score:.3f}; the best constant prediction reaches "
        f"{floor:.3f}."
    )


def _describe_rising_loss(evidence: Evidence, recipe: Recipe) -> str | None:
    if not evidence.is_unstable:
        return None
    return (
        f"The training loss rose: it was {evidence.opening_loss:.3f} over the first tenth of the "
        f"steps, {evidence.highest_loss:.3f} around step {evidence.highest_loss_step} and "
        f"{evidence.closing_loss:.3f} over the last tenth; the best constant prediction has a loss "
        f"of {evidence.chance_loss:.3f}. "
        f"The learning rate {recipe.learning_rate:g} is too high for this run."
    )


def _describe_chance_loss(evidence: Evidence, recipe: Recipe, task_type: TaskType) -> str | None:
    """Report a loss that never fell below that of the best constant prediction."""
    if evidence.has_loss_fallen:
        return None
    steps = recipe.max_steps
    constant = "mean" if task_type is TaskType.REGRESSION else "frequencies"
    return (
        "The training loss did not fall below chance: it averaged "
        f"{evidence.closing_loss:.3f} over the last {math.ceil(steps / TENTH)} of "
        f"{format_count(steps, 'step')}, and predicting the labels' {constant} has a loss of "
        f"{evidence.chance_loss:.3f}. "
        "More steps or a higher learning rate may help."
    )


def _describe_vanished_gradient(evidence: Evidence) -> str | None:
    """Report the symptom of the failed runs of Mosbach et al. 2021 (section 4)."""
    vanished = evidence.vanished
    if vanished is None:
        return None
    return (
        f"The gradient of the lower blocks vanished: its norm was {vanished.first:.1e} at step 1 "
        f"and {vanished.norm:.1e} at step {vanished.step}, with the loss still at chance, so only "
        "the top kept learning. A lower learning rate or a longer warm-up may help."
    )


def _describe_oversized_steps(evidence: Evidence, recipe: Recipe) -> str | None:
    if recipe.bias_correction or not (evidence.is_unstable or evidence.vanished):
        return None
    ratios = [
        compute_bias_ratio(step, recipe.adam_beta1, recipe.adam_beta2)
        for step in range(1, recipe.max_steps + 1)
    ]
    largest = max(ratios)
    return (
        f"Without Adam's bias correction its steps were up to {largest:.1f} times too large (at "
        f"step {ratios.index(largest) + 1}), and still {ratios[-1]:.1f} times at the last step. "
        "Set recipe.bias_correction to true."
    )


def _describe_lost_pretraining(evidence: Evidence, recipe: Recipe) -> str | None:
    """Report a large distance from pre-training, but only beside another symptom."""
    if evidence.has_loss_fallen and not (evidence.is_unstable or evidence.vanished):
        return None
    blocks = [
        distance for group, distance in evidence.distance.items() if group.startswith("block")
    ]
    layers = recipe.reinit_layers
    redrawn = range(len(blocks) - layers, len(blocks)) if isinstance(layers, int) else layers
    kept = [distance for index, distance in enumerate(blocks) if index not in redrawn]
    if not kept or min(kept) < FAR_DISTANCE:
        return None
    return (
        f"Every block moved by at least {min(kept):.0%} of its pre-trained weights' norm: little "
        "of the pre-training is left. A lower learning rate may help."
    )


def _describe_truncation(evidence: Evidence, max_seq_length: int) -> str | None:
    if evidence.truncated <= MAX_TRUNCATED_SHARE:
        return None
    return (
        f"{evidence.truncated:.0%} of the training rows are longer than {max_seq_length} tokens "
        "and were truncated."
    )
