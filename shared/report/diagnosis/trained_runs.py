"""Findings on runs that diverged, and on runs that learned but could do better."""

from collections.abc import Iterator, Sequence
from statistics import median

from shared.domain.wording import format_count
from shared.recipe import Recipe
from shared.report.diagnosis.advice import (
    advise_longer_inputs,
    advise_longer_training,
    advise_lower_rate,
)
from shared.report.diagnosis.facts import RunFacts, RunGroup
from shared.report.formatting import format_number, format_percent

TRUNCATION_SHARE = 0.1  # share of the training rows


def diagnose_divergence(group: RunGroup) -> Iterator[str]:
    if group.size:
        yield (
            f"{group.subject} diverged: the loss or the gradient became NaN or infinite, and "
            "training stopped before that step changed the weights. "
            f"{advise_lower_rate(group.job.recipe)}"
        )


def diagnose_instability(group: RunGroup) -> Iterator[str]:
    if group.evidence:
        worst = max(group.evidence, key=lambda evidence: evidence.highest_loss)
        yield (
            f"{group.subject} temporarily lost what had been learned: the training loss rose to "
            f"{format_number(worst.highest_loss)} around step {worst.highest_loss_step} (chance "
            f"is {format_number(worst.chance_loss)}). {advise_lower_rate(group.job.recipe)}"
        )


def diagnose_overfitting(group: RunGroup, sound: Sequence[RunFacts]) -> Iterator[str]:
    if not group.evidence or not group.is_majority_of(sound):
        return
    lowest = round(median(evidence.lowest_validation_step for evidence in group.evidence))
    yield (
        f"{group.subject} overfitted: the training loss fell to "
        f"{group.format_mean('closing_loss')}, while the validation loss rose from "
        f"{group.format_mean('lowest_validation_loss')} (around step {lowest}) to "
        f"{group.format_mean('final_validation_loss')}. "
        f"{_advise_selection(group.job.recipe, sound)}"
    )


def _advise_selection(recipe: Recipe, sound: Sequence[RunFacts]) -> str:
    if recipe.select == "last":
        return "Try select best_checkpoint."
    used = round(median(run.best_step or recipe.max_steps for run in sound))
    return (
        "The scores are those of the best checkpoints; their median step is "
        f"{used} of {recipe.max_steps}."
    )


def diagnose_short_training(group: RunGroup, sound: Sequence[RunFacts]) -> Iterator[str]:
    advice, steps = advise_longer_training(group.job), group.job.recipe.max_steps
    if group.size and group.is_majority_of(sound) and advice is not None:
        yield (
            f"{group.subject} reached the best score and the lowest validation loss at the last "
            f"of {format_count(steps, 'step')}: longer training may help. {advice}"
        )


def diagnose_truncation(group: RunGroup) -> Iterator[str]:
    share = max((evidence.truncated for evidence in group.evidence), default=0.0)
    if share > TRUNCATION_SHARE:
        yield (
            f"{format_percent(share)} of the training rows are longer than "
            f"{group.job.max_seq_length} tokens and were truncated. "
            f"{advise_longer_inputs(group.job)}"
        )


def is_unsteady(run: RunFacts) -> bool:
    return run.evidence is not None and run.evidence.is_unstable


def is_overfitted(run: RunFacts) -> bool:
    return run.evidence is not None and run.evidence.is_overfitted


def is_still_improving(run: RunFacts, recipe: Recipe) -> bool:
    last = recipe.max_steps
    return (
        run.evidence is not None
        and run.best_step == last
        and run.evidence.lowest_validation_step == last
    )
