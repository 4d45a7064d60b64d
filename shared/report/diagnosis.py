"""What looks wrong with a job, over its runs: which of them show it, by what numbers, and which setting to try.

Rules, not a model; each says nothing where its evidence is absent. Advice is computed: a length is the one that ``max_steps: "auto"``
stands for on these rows (twice as long where that was tried), a rate a fixed factor below or above the one that was used.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from shared.domain.run_evidence import Evidence
from shared.domain.states import RunState
from shared.recipe import Recipe, long_enough
from shared.report.formatting import number, of, percent, sentence

DIVERGED = "nan_loss"
COOLER, HOTTER = 4, 10
"""By how much to lower a rate that runs collapsed at, and by how much at most to raise one that moved nothing."""
HARDLY_MOVED = 0.002
LEARNING_MOVES = 0.01
"""Of a block's own norm: how far it is from where it began after a run that learns, and when it has hardly moved."""
IMBALANCED = 0.6  # share of the most frequent label
MUCH_TRUNCATED = 0.1  # share of the training rows
MOST = 0.5  # share of the runs from which on a finding is the job's


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
class _Group:
    """Runs that show the same, out of those that ended by themselves."""

    job: JobFacts
    evidence: tuple[Evidence, ...]
    size: int
    whole: int

    @property
    def who(self) -> str:
        return sentence(of(self.size, self.whole, "run"))

    def mean(self, name: str) -> str:
        """Of one of the evidence's numbers."""
        return number(fmean(getattr(evidence, name) for evidence in self.evidence))


def diagnose_job(job: JobFacts) -> list[str]:
    """Sentences, the gravest first; empty where nothing looks wrong."""
    ended = [run for run in job.runs if run.status in (RunState.SUCCEEDED, RunState.FAILED)]
    finished = [
        run for run in ended if run.status == RunState.SUCCEEDED and run.evidence is not None
    ]
    degenerate = [run for run in finished if run.degenerate]
    sound = [run for run in finished if not run.degenerate]

    def group(runs: list[RunFacts]) -> _Group:
        return _Group(
            job,
            tuple(run.evidence for run in runs if run.evidence is not None),
            len(runs),
            len(ended),
        )

    return [
        *_diverged(group([run for run in ended if run.error_code == DIVERGED])),
        *_degenerate(group(degenerate)),
        *_imbalance(group(degenerate)),
        # where most learnt nothing, the cause of that is what to say; another's advice beside it would only confuse
        *(
            []
            if len(degenerate) > MOST * len(finished)
            else _unsteady(group([run for run in sound if _is_unsteady(run)]))
        ),
        *_overfitted(
            group([run for run in sound if run.evidence is not None and run.evidence.overfitted]),
            sound,
        ),
        *_still_improving(group([run for run in sound if _improving(run, job.recipe)]), sound),
        *_truncated(group(finished)),
    ]


def _diverged(group: _Group) -> Iterator[str]:
    if group.size:
        yield (
            f"{group.who} diverged: loss or gradient became NaN or infinite, and the run was stopped before that step. "
            f"{_cooler(group.job.recipe)}"
        )


def _cooler(recipe: Recipe) -> str:
    rate = f"learning_rate {recipe.learning_rate / COOLER:.1g}"
    if recipe.bias_correction:
        return f"The rate {recipe.learning_rate:g} is too high: try {rate}."
    return (
        f"Without bias correction the first steps are up to 6.6 times as large as the rate {recipe.learning_rate:g} says: try "
        f"bias_correction true, or {rate}."
    )


def _degenerate(group: _Group) -> Iterator[str]:
    """The cause that most of the degenerate runs share."""
    if not group.evidence:
        return
    collapsed = [evidence for evidence in group.evidence if evidence.unsteady or evidence.vanished]
    flat = [
        evidence for evidence in group.evidence if evidence not in collapsed and not evidence.fell
    ]
    yield f"{group.who} {_what(group)}; " + (
        _collapse(group, collapsed)
        if len(collapsed) > MOST * len(group.evidence)
        else _flat(group)
        if len(flat) + len(collapsed) > MOST * len(group.evidence)
        else _fell(group)
    )


def _what(group: _Group) -> str:
    answers = {evidence.one_answer for evidence in group.evidence}
    verb, are = ("answers", "is") if group.size == 1 else ("answer", "are")
    if None in answers:
        return f"{are} no better than a constant answer"
    if len(answers) == 1:
        return f"{verb} {answers.pop()!r} to every validation row"
    return f"{verb} one label only"


def _collapse(group: _Group, collapsed: list[Evidence]) -> str:
    gone = [evidence.vanished for evidence in collapsed if evidence.vanished]
    seen = (
        f"the gradient of the lower blocks vanished (to {min(it.norm / it.first for it in gone):.1g} of what it was, by step "
        f"{round(median(it.step for it in gone))}) with the loss still at chance"
        if gone
        else f"the training loss rose (to {max(evidence.highest_loss for evidence in collapsed):.3f}; chance is "
        f"{group.mean('chance_loss')})"
    )
    return f"{seen}. {_cooler(group.job.recipe)}"


def _flat(group: _Group) -> str:
    """Too short, too slow, or both."""
    recipe, long = (
        group.job.recipe,
        long_enough(group.job.train_rows, group.job.recipe.train_batch_size),
    )
    stayed = f"the training loss stayed at {group.mean('closing_loss')} (chance is {group.mean('chance_loss')})"
    moved = median(_moved(evidence) for evidence in group.evidence)
    if moved < HARDLY_MOVED:
        faster = min(recipe.learning_rate * min(HOTTER, LEARNING_MOVES / max(moved, 1e-9)), 1e-2)
        return (
            f"{stayed} and the blocks moved by {100 * moved:.2g} % of their norm: the rate {recipe.learning_rate:g} is too low. "
            f"Try learning_rate {faster:.1g}."
        )
    if recipe.max_steps < long:
        return f"{stayed}: {recipe.max_steps} steps were too few. Try max_steps {long}."
    return f"{stayed} over {recipe.max_steps} steps. Try max_steps {2 * recipe.max_steps}, or learning_rate {2 * recipe.learning_rate:.1g}."


def _moved(evidence: Evidence) -> float:
    """How far the block is that moved least: one that was drawn afresh moves far."""
    return min(
        (distance for part, distance in evidence.distance.items() if part.startswith("block")),
        default=1.0,
    )


def _fell(group: _Group) -> str:
    return (
        f"the training loss fell all the same, to {group.mean('closing_loss')} (chance is {group.mean('chance_loss')}): what was learned "
        "does not carry over to the validation rows. More, or more varied, training rows may help."
    )


def _imbalance(group: _Group) -> Iterator[str]:
    labels, recipe = group.job.labels, group.job.recipe
    if not group.evidence or not labels or recipe.class_weights != "none":
        return
    name = max(labels, key=labels.__getitem__)
    share = labels[name] / sum(labels.values())
    if share <= IMBALANCED or any(evidence.one_answer != name for evidence in group.evidence):
        return
    blind = (
        ", and metric mcc, which a constant answer cannot please"
        if group.job.metric == "accuracy"
        else ""
    )
    yield f"{name!r}, which they answer, has {percent(share)} of the training rows: try class_weights balanced{blind}."


def _is_unsteady(run: RunFacts) -> bool:
    return run.evidence is not None and run.evidence.unsteady


def _unsteady(group: _Group) -> Iterator[str]:
    if group.evidence:
        highest = max(group.evidence, key=lambda evidence: evidence.highest_loss)
        yield (
            f"{group.who} lost on the way what had been learned: the training loss rose to {number(highest.highest_loss)} around step "
            f"{highest.highest_loss_step} (chance is {number(highest.chance_loss)}). {_cooler(group.job.recipe)}"
        )


def _overfitted(group: _Group, sound: list[RunFacts]) -> Iterator[str]:
    if not group.evidence or group.size <= MOST * len(sound):
        return
    recipe = group.job.recipe
    lowest = round(median(evidence.lowest_validation_step for evidence in group.evidence))
    remedy = "Try select best_checkpoint."
    if recipe.select == "best_checkpoint":
        used = round(median(run.best_step or recipe.max_steps for run in sound))
        remedy = f"The scores are those of the best checkpoints, at the median from step {used} of {recipe.max_steps}."
    yield (
        f"{group.who} learned the training rows by heart: the training loss fell to {group.mean('closing_loss')} while the validation loss "
        f"rose from {group.mean('lowest_validation_loss')} (about step {lowest}) to {group.mean('final_validation_loss')}. {remedy}"
    )


def _improving(run: RunFacts, recipe: Recipe) -> bool:
    last = recipe.max_steps
    return (
        run.evidence is not None
        and run.best_step == last
        and run.evidence.lowest_validation_step == last
    )


def _still_improving(group: _Group, sound: list[RunFacts]) -> Iterator[str]:
    steps = group.job.recipe.max_steps
    if group.size and group.size > MOST * len(sound):
        yield (
            f"{group.who} scored best, with the lowest validation loss, at the very last of {steps} steps: more may do better. Try "
            f"max_steps {max(2 * steps, long_enough(group.job.train_rows, group.job.recipe.train_batch_size))}."
        )


def _truncated(group: _Group) -> Iterator[str]:
    share = max((evidence.truncated for evidence in group.evidence), default=0.0)
    if share > MUCH_TRUNCATED:
        limit = group.job.max_seq_length
        yield f"{percent(share)} of the training rows are longer than {limit} tokens and were cut: try a larger task.max_seq_length."
