"""Findings on degenerate runs: what they predict, and why they did not learn.

``shared.metrics.scoring.Scoring.is_degenerate`` decides which runs are degenerate.
"""

from collections.abc import Iterator
from statistics import median

from shared.domain.run_evidence import Evidence
from shared.domain.wording import format_count
from shared.report.diagnosis.advice import (
    LEARNING_DISTANCE,
    advise_higher_rate,
    advise_lower_rate,
    advise_more_training,
    compute_job_auto_steps,
)
from shared.report.diagnosis.facts import MAJORITY_SHARE, JobFacts, RunGroup
from shared.report.formatting import choose_verb, format_percent

STALLED_DISTANCE = 0.002
"""Distance from its start, as a share of its norm, below which a block has hardly moved."""
IMBALANCE_SHARE = 0.6  # share of the most frequent label


def diagnose_degenerate_runs(group: RunGroup) -> Iterator[str]:
    """Find the cause that most of the degenerate runs share."""
    if not group.evidence:
        return
    yield f"{group.subject} {_describe_predictions(group)}; {_describe_cause(group)}"


def _describe_cause(group: RunGroup) -> str:
    majority = MAJORITY_SHARE * len(group.evidence)
    collapsed = [
        evidence for evidence in group.evidence if evidence.is_unstable or evidence.vanished
    ]
    if len(collapsed) > majority:
        return _describe_collapse(group, collapsed)
    flat = [
        evidence
        for evidence in group.evidence
        if evidence not in collapsed and not evidence.has_loss_fallen
    ]
    if len(flat) + len(collapsed) > majority:
        return _describe_flat_loss(group)
    return _describe_falling_loss(group)


def diagnose_imbalance(group: RunGroup) -> Iterator[str]:
    """Name a frequent label that all degenerate runs predict, unless classes are weighted."""
    labels, recipe = group.job.labels, group.job.recipe
    if not group.evidence or not labels or recipe.class_weights != "none":
        return
    name = max(labels, key=labels.__getitem__)
    share = labels[name] / group.job.train_rows
    is_predicted = all(evidence.single_predicted_label == name for evidence in group.evidence)
    if share <= IMBALANCE_SHARE or not is_predicted:
        return
    metric = ""
    if group.job.metric == "accuracy" and not group.job.multi_label:
        metric = ", and metric mcc, which does not reward a constant prediction"
    yield (
        f"The predicted label {name!r} has {format_percent(share)} of the training rows: try "
        f"class_weights balanced{metric}."
    )


def _describe_predictions(group: RunGroup) -> str:
    predicted = {evidence.single_predicted_label for evidence in group.evidence}
    if None in predicted:
        return f"{choose_verb(group.size, 'is', 'are')} no better than a constant prediction"
    if len(predicted) > 1:
        return "each predict a single label for every validation row"
    verb = choose_verb(group.size, "predicts", "predict")
    return f"{verb} {predicted.pop()!r} for every validation row"


def _describe_collapse(group: RunGroup, collapsed: list[Evidence]) -> str:
    vanished = [evidence.vanished for evidence in collapsed if evidence.vanished]
    if vanished:
        share = min(gradient.norm / gradient.first for gradient in vanished)
        step = round(median(gradient.step for gradient in vanished))
        observed = (
            f"the gradient of the lower blocks vanished (to {share:.1g} of its first norm by step "
            f"{step}) while the loss was still at chance"
        )
    else:
        highest = max(evidence.highest_loss for evidence in collapsed)
        observed = (
            f"the training loss rose to {highest:.3f} (chance is "
            f"{group.format_mean('chance_loss')})"
        )
    return f"{observed}. {advise_lower_rate(group.job.recipe)}"


def _describe_flat_loss(group: RunGroup) -> str:
    """Decide between too short, too slow, and both."""
    recipe, long = group.job.recipe, compute_job_auto_steps(group.job)
    steps = format_count(recipe.max_steps, "step")
    stayed = f"the training loss stayed at {_format_closing_loss(group)}"
    moved = median(_measure_least_movement(evidence) for evidence in group.evidence)
    if recipe.max_steps < long and _would_steps_suffice(group.job, moved):
        were = choose_verb(recipe.max_steps, "was", "were")
        return f"{stayed}. {steps} {were} too few: try max_steps {long}."
    if moved < STALLED_DISTANCE:
        return (
            f"{stayed} and the blocks moved by only {100 * moved:.2g}% of their norm. "
            f"{advise_higher_rate(recipe, moved)}"
        )
    return f"{stayed} over {steps}. {advise_more_training(recipe)}"


def _would_steps_suffice(job: JobFacts, moved: float) -> bool:
    """Return whether blocks that moved this far would learn within the automatic length, in which
    the distance grows at most with the steps; and whether the warm-up left any step to move them.
    """
    longer = compute_job_auto_steps(job) / job.recipe.max_steps
    is_without_rate = job.recipe.max_steps == 1 and job.recipe.warmup_steps > 0
    return moved >= STALLED_DISTANCE or is_without_rate or longer * moved >= LEARNING_DISTANCE


def _measure_least_movement(evidence: Evidence) -> float:
    """Return the distance of the block that moved least; a re-initialized block moves far."""
    return min(
        (distance for part, distance in evidence.distance.items() if part.startswith("block")),
        default=1.0,
    )


def _describe_falling_loss(group: RunGroup) -> str:
    return (
        f"the training loss did fall, to {_format_closing_loss(group)}, but what was learned does "
        "not apply to the validation rows. More, or more varied, training rows may help."
    )


def _format_closing_loss(group: RunGroup) -> str:
    return f"{group.format_mean('closing_loss')} (chance is {group.format_mean('chance_loss')})"
