"""Pilots: a few trial runs that find an automatic re-init depth, or an automatic length, out
before a job's own runs begin.

This is the policy, as functions of numbers. In the manner of Zhang et al. 2021, section 6
(steps 200, 400, … 3200, chosen by validation), at a bounded cost:

1. Depths 0, d and 2d, d a sixth of the blocks, each from two seeds at the length of the rule
   (``shared.recipe``); with a given depth, that one alone.
2. Where the length is automatic and the best depth is still improving at its end, or answers a
   constant, twice the length; again while the longer is better, and the cost stays within
   bounds.
3. The best mean validation score wins; what is as good is decided for the shallower and the
   shorter.

Pilots see the validation rows alone, never the test rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

LayerSelection = int | tuple[int, ...]
"""``reinit_layers`` of a recipe, hashable."""

PILOT_SEEDS = 2
"""Runs a candidate: one could be the unlucky seed that pilots are meant to see through."""
FIRST_PILOT_SEED = 2**31
"""Pilot i of a candidate has this seed plus i. A caller's seeds are below it, so no run of a
report repeats a pilot.
"""
SCORE_MARGIN = 0.01
"""Validation scores closer than this are as good as equal: about what two seeds on a few
hundred rows can tell apart.
"""
MAX_PILOT_STEPS = 3200
"""Steps: the longest that the paper tries."""
MAX_COST_SHARE = 1.0
"""All pilots together may take at most this share of the main runs' steps at the length that is
tried next …
"""
MIN_COST_RUNS = 5
"""… where a job of fewer runs counts as one of so many. The first round is always made."""
RISE_START_SHARE = 0.6
"""Share of the steps from which on a rise of the validation score counts as still improving."""
LATE_SHARE = 0.8
"""… if the best evaluation comes after this share of the steps."""


@dataclass(frozen=True)
class Candidate:
    """One setting of what is automatic."""

    reinit_layers: LayerSelection
    max_steps: int

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any]) -> "Candidate":
        """The part of a recipe that pilots are about."""
        layers = recipe["reinit_layers"]
        return cls(
            tuple(layers) if isinstance(layers, list | tuple) else layers, recipe["max_steps"]
        )

    def to_settings(self) -> dict[str, Any]:
        """As in a recipe."""
        layers = (
            self.reinit_layers if isinstance(self.reinit_layers, int) else list(self.reinit_layers)
        )
        return {"reinit_layers": layers, "max_steps": self.max_steps}

    @property
    def depth(self) -> int:
        """Blocks drawn afresh."""
        return (
            self.reinit_layers if isinstance(self.reinit_layers, int) else len(self.reinit_layers)
        )


@dataclass(frozen=True)
class Trial:
    """A pilot that has ended."""

    candidate: Candidate
    score: float | None
    """Validation score of its chosen checkpoint; None where it failed or has none."""
    failed: bool = False
    degenerate: bool = False
    curve: tuple[tuple[int, float], ...] = ()
    """(step, validation score) of its evaluations."""


@dataclass(frozen=True)
class CandidateResult:
    """A candidate's trials summed up."""

    candidate: Candidate
    trials: tuple[Trial, ...]

    @property
    def unlearned_count(self) -> int:
        """Trials that came to their end and know no more than a constant answer."""
        return sum(
            not trial.failed and (trial.degenerate or trial.score is None) for trial in self.trials
        )

    @property
    def unusable_count(self) -> int:
        return self.unlearned_count + sum(trial.failed for trial in self.trials)

    @property
    def has_failed(self) -> bool:
        return all(trial.failed for trial in self.trials)

    @property
    def mean(self) -> float | None:
        scores = [trial.score for trial in self.trials if trial.score is not None]
        return fmean(scores) if scores else None

    def to_summary(self) -> dict[str, Any]:
        """As stored with the job."""
        return {
            **self.candidate.to_settings(),
            "scores": [trial.score for trial in self.trials],
            "degenerate": sum(trial.degenerate for trial in self.trials),
            "failed": sum(trial.failed for trial in self.trials),
            "mean": self.mean,
        }


def list_depth_candidates(rule_depth: int, blocks: int) -> list[int]:
    """No block, the rule's depth (a sixth of the blocks) and twice that: 0, 4 and 8 of
    BERT-large's 24, around the paper's 1 to 6.

    Where a family's layers share their weights the rule may be 0, and nothing else is tried.
    """
    return sorted({0, min(rule_depth, blocks), min(2 * rule_depth, blocks)})


def build_first_round(depths: Sequence[LayerSelection], max_steps: int) -> list[Candidate]:
    return [Candidate(depth, max_steps) for depth in depths]


def summarize_trials(trials: Sequence[Trial]) -> list[CandidateResult]:
    """A candidate each, the shorter first, of equal length the shallower."""
    candidates = {trial.candidate for trial in trials}
    ordered = sorted(candidates, key=lambda candidate: (candidate.max_steps, candidate.depth))
    return [
        CandidateResult(one, tuple(trial for trial in trials if trial.candidate == one))
        for one in ordered
    ]


def select_best_candidate(tried: Sequence[CandidateResult]) -> CandidateResult | None:
    """Fewest trials that learnt nothing, then the highest mean; within the margin of it, the
    shortest, then the shallowest.

    None where every trial failed.
    """
    usable = [
        standing for standing in tried if not standing.has_failed and standing.mean is not None
    ]
    if not usable:
        return None
    fewest = min(standing.unusable_count for standing in usable)
    sound = [
        (standing, standing.mean or 0.0) for standing in usable if standing.unusable_count == fewest
    ]
    top = max(mean for _, mean in sound)
    return next(standing for standing, mean in sound if mean >= top - SCORE_MARGIN)


def propose_longer_candidate(
    tried: Sequence[CandidateResult], *, main_runs: int
) -> Candidate | None:
    """What to try next where the length is automatic: the best depth at twice the length; None
    where the evidence suffices.
    """
    first = min(standing.candidate.max_steps for standing in tried)
    chosen = select_best_candidate(
        [standing for standing in tried if standing.candidate.max_steps == first]
    )
    if chosen is None:  # all failed: more steps are no cure for a loss that is not a number
        return None
    ladder = [one for one in tried if one.candidate.reinit_layers == chosen.candidate.reinit_layers]
    longest = ladder[-1]
    if longest.has_failed or not (longest.unlearned_count or _is_longer_worthwhile(ladder)):
        return None
    wanted = Candidate(
        chosen.candidate.reinit_layers, min(2 * longest.candidate.max_steps, MAX_PILOT_STEPS)
    )
    if wanted.max_steps <= longest.candidate.max_steps:
        return None
    cost = (
        sum(len(one.trials) * one.candidate.max_steps for one in tried)
        + PILOT_SEEDS * wanted.max_steps
    )
    return (
        wanted
        if cost <= MAX_COST_SHARE * max(main_runs, MIN_COST_RUNS) * wanted.max_steps
        else None
    )


def _is_longer_worthwhile(ladder: Sequence[CandidateResult]) -> bool:
    """``ladder`` is one depth, the shortest first: the longest must have beaten the one before,
    or still be improving.
    """
    if len(ladder) == 1:
        return is_still_improving(
            [trial.curve for trial in ladder[0].trials], ladder[0].candidate.max_steps
        )
    return select_best_candidate(ladder[-2:]) is ladder[-1]


def is_still_improving(curves: Sequence[Sequence[tuple[int, float]]], max_steps: int) -> bool:
    """Whether the score, averaged over the trials, is best near the end and well above what it
    was at 60 % of the steps.
    """
    by_step: dict[int, list[float]] = {}
    for curve in curves:
        for step, score in curve:
            by_step.setdefault(step, []).append(score)
    mean = [
        (step, fmean(scores))
        for step, scores in sorted(by_step.items())
        if len(scores) == len(curves)
    ]
    before = [score for step, score in mean if step <= RISE_START_SHARE * max_steps]
    if not before or len(mean) < 2:
        return False
    best_step = max(mean, key=lambda point: point[1])[0]
    return (
        best_step > LATE_SHARE * max_steps
        and fmean(score for _, score in mean[-2:]) - before[-1] > SCORE_MARGIN
    )


def explain_choice(
    tried: Sequence[CandidateResult], chosen: CandidateResult, metric: str, automatic: Sequence[str]
) -> dict[str, str]:
    """Why the chosen candidate: a sentence with the numbers for each automatic setting."""
    notes, depth, steps = {}, chosen.candidate.depth, chosen.candidate.max_steps
    if "reinit_layers" in automatic:
        first = min(one.candidate.max_steps for one in tried)
        told = ", ".join(
            f"{_format_mean_score(one)} with {one.candidate.depth}"
            for one in tried
            if one.candidate.max_steps == first
        )
        notes["reinit_layers"] = (
            f"{depth}: pilots of {first} steps from {PILOT_SEEDS} seeds reached a mean "
            f"validation {metric} of {told} of the top blocks "
            f"new; within {SCORE_MARGIN:g} the shallower is taken."
        )
    if "max_steps" in automatic:
        ladder = [
            one for one in tried if one.candidate.reinit_layers == chosen.candidate.reinit_layers
        ]
        notes["max_steps"] = f"{steps}: {_explain_length(ladder, metric)}"
    return notes


def _explain_length(ladder: Sequence[CandidateResult], metric: str) -> str:
    told = ", ".join(
        f"{_format_mean_score(one)} in {one.candidate.max_steps} steps" for one in ladder
    )
    if len(ladder) == 1:
        return (
            f"pilots from {PILOT_SEEDS} seeds reached a mean validation {metric} of "
            f"{told}, and longer ones were not called for."
        )
    return (
        f"pilots from {PILOT_SEEDS} seeds reached a mean validation {metric} of {told}; a "
        "longer run is taken where it is better by more "
        f"than {SCORE_MARGIN:g}."
    )


def _format_mean_score(standing: CandidateResult) -> str:
    mean = "no score" if standing.mean is None else f"{standing.mean:.3f}"
    bad = standing.unusable_count
    return mean if not bad else f"{mean} ({bad} of {len(standing.trials)} learnt nothing)"
