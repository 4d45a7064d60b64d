"""Diagnosis of a job: which problems its runs show, with the evidence and the setting to try.

These are rules, not a model; each is silent without its evidence. Advice is computed: a length
is the one that ``max_steps: "auto"`` would choose for these rows (twice as long if that was
tried), a rate is a fixed factor below or above the one used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from shared.domain.run_evidence import Evidence
from shared.domain.states import RunState
from shared.recipe import Recipe, compute_auto_steps
from shared.report.formatting import (
    capitalize_first,
    format_fraction,
    format_number,
    format_percent,
)

DIVERGED_ERROR_CODE = "nan_loss"
RATE_CUT_FACTOR, MAX_RATE_RAISE_FACTOR = 4, 10
"""Factor by which to lower a rate at which runs collapsed, and the largest factor by which to
raise one that moved nothing.
"""
STALLED_DISTANCE = 0.002
LEARNING_DISTANCE = 0.01
"""As a share of a block's norm: its usual distance from the start after a run that learns, and
the distance at which it has hardly moved.
"""
IMBALANCE_SHARE = 0.6  # share of the most frequent label
TRUNCATION_SHARE = 0.1  # share of the training rows
MAJORITY_SHARE = 0.5  # share of the runs from which a finding applies to the job


@dataclass(frozen=True)
class RunFacts:
    status: str
    degenerate: bool | None
    error_code: str | None
    best_step: int | None
    evidence: Evidence | None


@dataclass(frozen=True)
class JobFacts:
    """``runs``: the main runs, ended or not."""

    recipe: Recipe
    metric: str
    train_rows: int
    labels: Mapping[str, int]
    """Training rows of each label; empty for a regression."""
    max_seq_length: int
    runs: tuple[RunFacts, ...]


@dataclass(frozen=True)
class _RunGroup:
    """Runs with the same finding, out of those that ended by themselves."""

    job: JobFacts
    evidence: tuple[Evidence, ...]
    size: int
    total: int

    @property
    def subject(self) -> str:
        return capitalize_first(format_fraction(self.size, self.total, "run"))

    def format_mean(self, name: str) -> str:
        """Range of one number of the evidence."""
        return format_number(fmean(getattr(evidence, name) for evidence in self.evidence))


def diagnose_job(job: JobFacts) -> list[str]:
    """List the findings as sentences, the gravest first; empty if there are none."""
    ended = [run for run in job.runs if run.status in (RunState.SUCCEEDED, RunState.FAILED)]
    finished = [
        run for run in ended if run.status == RunState.SUCCEEDED and run.evidence is not None
    ]
    degenerate = [run for run in finished if run.degenerate]
    sound = [run for run in finished if not run.degenerate]

    def build_group(runs: list[RunFacts]) -> _RunGroup:
        return _RunGroup(
            job,
            tuple(run.evidence for run in runs if run.evidence is not None),
            len(runs),
            len(ended),
        )

    return [
        *_diagnose_divergence(
            build_group([run for run in ended if run.error_code == DIVERGED_ERROR_CODE])
        ),
        *_diagnose_degenerate_runs(build_group(degenerate)),
        *_diagnose_imbalance(build_group(degenerate)),
        # if most runs learnt nothing, only that cause is reported; other advice beside it would
        # confuse
        *(
            []
            if len(degenerate) > MAJORITY_SHARE * len(finished)
            else _diagnose_instability(build_group([run for run in sound if _is_unsteady(run)]))
        ),
        *_diagnose_overfitting(
            build_group(
                [run for run in sound if run.evidence is not None and run.evidence.is_overfitted]
            ),
            sound,
        ),
        *_diagnose_short_training(
            build_group([run for run in sound if _is_still_improving(run, job.recipe)]), sound
        ),
        *_diagnose_truncation(build_group(finished)),
    ]


def _diagnose_divergence(group: _RunGroup) -> Iterator[str]:
    if group.size:
        yield (
            f"{group.subject} diverged: loss or gradient became NaN or infinite, and the "
            "run was stopped before that step. "
            f"{_advise_lower_rate(group.job.recipe)}"
        )


def _advise_lower_rate(recipe: Recipe) -> str:
    rate = f"learning_rate {recipe.learning_rate / RATE_CUT_FACTOR:.1g}"
    if recipe.bias_correction:
        return f"The rate {recipe.learning_rate:g} is too high: try {rate}."
    return (
        "Without bias correction the first steps are up to 6.6 times as large as the rate "
        f"{recipe.learning_rate:g} says: try "
        f"bias_correction true, or {rate}."
    )


def _diagnose_degenerate_runs(group: _RunGroup) -> Iterator[str]:
    """Find the cause that most of the degenerate runs share."""
    if not group.evidence:
        return
    collapsed = [
        evidence for evidence in group.evidence if evidence.is_unstable or evidence.vanished
    ]
    flat = [
        evidence
        for evidence in group.evidence
        if evidence not in collapsed and not evidence.has_loss_fallen
    ]
    yield f"{group.subject} {_describe_answers(group)}; " + (
        _describe_collapse(group, collapsed)
        if len(collapsed) > MAJORITY_SHARE * len(group.evidence)
        else _describe_flat_loss(group)
        if len(flat) + len(collapsed) > MAJORITY_SHARE * len(group.evidence)
        else _describe_falling_loss(group)
    )


def _describe_answers(group: _RunGroup) -> str:
    answers = {evidence.single_predicted_label for evidence in group.evidence}
    verb, are = ("answers", "is") if group.size == 1 else ("answer", "are")
    if None in answers:
        return f"{are} no better than a constant answer"
    if len(answers) == 1:
        return f"{verb} {answers.pop()!r} to every validation row"
    return f"{verb} one label only"


def _describe_collapse(group: _RunGroup, collapsed: list[Evidence]) -> str:
    gone = [evidence.vanished for evidence in collapsed if evidence.vanished]
    seen = (
        "the gradient of the lower blocks vanished (to "
        f"{min(it.norm / it.first for it in gone):.1g} of what it was, by step "
        f"{round(median(it.step for it in gone))}) with the loss still at chance"
        if gone
        else "the training loss rose (to "
        f"{max(evidence.highest_loss for evidence in collapsed):.3f}; chance is "
        f"{group.format_mean('chance_loss')})"
    )
    return f"{seen}. {_advise_lower_rate(group.job.recipe)}"


def _describe_flat_loss(group: _RunGroup) -> str:
    """Decide between too short, too slow, and both."""
    recipe, long = (
        group.job.recipe,
        compute_auto_steps(group.job.train_rows, group.job.recipe.train_batch_size),
    )
    stayed = (
        f"the training loss stayed at {group.format_mean('closing_loss')} (chance is "
        f"{group.format_mean('chance_loss')})"
    )
    moved = median(_measure_least_movement(evidence) for evidence in group.evidence)
    if moved < STALLED_DISTANCE:
        faster = min(
            recipe.learning_rate * min(MAX_RATE_RAISE_FACTOR, LEARNING_DISTANCE / max(moved, 1e-9)),
            1e-2,
        )
        return (
            f"{stayed} and the blocks moved by {100 * moved:.2g} % of their norm: the rate "
            f"{recipe.learning_rate:g} is too low. "
            f"Try learning_rate {faster:.1g}."
        )
    if recipe.max_steps < long:
        return f"{stayed}: {recipe.max_steps} steps were too few. Try max_steps {long}."
    return (
        f"{stayed} over {recipe.max_steps} steps. Try max_steps "
        f"{2 * recipe.max_steps}, or learning_rate {2 * recipe.learning_rate:.1g}."
    )


def _measure_least_movement(evidence: Evidence) -> float:
    """Return the distance of the block that moved least; a re-initialised block moves far."""
    return min(
        (distance for part, distance in evidence.distance.items() if part.startswith("block")),
        default=1.0,
    )


def _describe_falling_loss(group: _RunGroup) -> str:
    return (
        f"the training loss fell all the same, to {group.format_mean('closing_loss')} "
        f"(chance is {group.format_mean('chance_loss')}): what was learned "
        "does not carry over to the validation rows. More, or more varied, training rows may help."
    )


def _diagnose_imbalance(group: _RunGroup) -> Iterator[str]:
    labels, recipe = group.job.labels, group.job.recipe
    if not group.evidence or not labels or recipe.class_weights != "none":
        return
    name = max(labels, key=labels.__getitem__)
    share = labels[name] / sum(labels.values())
    if share <= IMBALANCE_SHARE or any(
        evidence.single_predicted_label != name for evidence in group.evidence
    ):
        return
    blind = (
        ", and metric mcc, which a constant answer cannot please"
        if group.job.metric == "accuracy"
        else ""
    )
    yield (
        f"{name!r}, which they answer, has {format_percent(share)} of the training "
        f"rows: try class_weights balanced{blind}."
    )


def _is_unsteady(run: RunFacts) -> bool:
    return run.evidence is not None and run.evidence.is_unstable


def _diagnose_instability(group: _RunGroup) -> Iterator[str]:
    if group.evidence:
        highest = max(group.evidence, key=lambda evidence: evidence.highest_loss)
        yield (
            f"{group.subject} lost on the way what had been learned: the training loss "
            f"rose to {format_number(highest.highest_loss)} around step "
            f"{highest.highest_loss_step} (chance is "
            f"{format_number(highest.chance_loss)}). {_advise_lower_rate(group.job.recipe)}"
        )


def _diagnose_overfitting(group: _RunGroup, sound: list[RunFacts]) -> Iterator[str]:
    if not group.evidence or group.size <= MAJORITY_SHARE * len(sound):
        return
    recipe = group.job.recipe
    lowest = round(median(evidence.lowest_validation_step for evidence in group.evidence))
    remedy = "Try select best_checkpoint."
    if recipe.select == "best_checkpoint":
        used = round(median(run.best_step or recipe.max_steps for run in sound))
        remedy = (
            "The scores are those of the best checkpoints, at the median from step "
            f"{used} of {recipe.max_steps}."
        )
    yield (
        f"{group.subject} learned the training rows by heart: the training loss fell to "
        f"{group.format_mean('closing_loss')} while the validation loss "
        f"rose from {group.format_mean('lowest_validation_loss')} (about step {lowest}) to "
        f"{group.format_mean('final_validation_loss')}. {remedy}"
    )


def _is_still_improving(run: RunFacts, recipe: Recipe) -> bool:
    last = recipe.max_steps
    return (
        run.evidence is not None
        and run.best_step == last
        and run.evidence.lowest_validation_step == last
    )


def _diagnose_short_training(group: _RunGroup, sound: list[RunFacts]) -> Iterator[str]:
    recipe = group.job.recipe
    steps = recipe.max_steps
    if group.size and group.size > MAJORITY_SHARE * len(sound):
        auto_steps = compute_auto_steps(group.job.train_rows, recipe.train_batch_size)
        yield (
            f"{group.subject} scored best, with the lowest validation loss, at the very "
            f"last of {steps} steps: more may do better. Try max_steps "
            f"{max(2 * steps, auto_steps)}."
        )


def _diagnose_truncation(group: _RunGroup) -> Iterator[str]:
    share = max((evidence.truncated for evidence in group.evidence), default=0.0)
    if share > TRUNCATION_SHARE:
        limit = group.job.max_seq_length
        yield (
            f"{format_percent(share)} of the training rows are longer than {limit} "
            "tokens and were cut: try a larger task.max_seq_length."
        )
