"""The decision once all planned pilots have ended: longer pilots, or the job's recipe."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.recipe.pilot_schemas import PilotPlan
from shared.recipe.pilot_trials import (
    SCORE_MARGIN,
    CandidateResult,
    Trial,
    list_lengths,
    propose_longer_candidate,
    select_best_candidate,
    summarize_trials,
)
from shared.recipe.pilots import PILOT_SEEDS, Candidate
from shared.recipe.value import ForeignRecipe, Recipe


class LongerPilots(NamedTuple):
    """The candidate to try next, because the evidence does not suffice."""

    plan: PilotPlan
    candidate: Candidate
    reason: str
    """A clause."""


class PilotChoice(NamedTuple):
    """The recipe that the pilots led to."""

    plan: PilotPlan
    candidate: Candidate
    recipe: Recipe | ForeignRecipe
    notes: dict[str, str]
    """The recipe's notes, with new ones for the settings that were searched."""
    reason: str
    all_failed: bool = False
    """Every pilot failed, so the recipe has the rules' values."""
    all_unusable: bool = False
    """Every pilot of the chosen candidate failed or learned nothing."""


def advance_pilots(
    plan: PilotPlan,
    trials: Sequence[Trial],
    notes: Mapping[str, str],
    *,
    metric: str,
    main_runs: int,
) -> LongerPilots | PilotChoice:
    """Decide what follows the pilots tried so far; ``notes`` are the recipe's, by the rules."""
    results = summarize_trials(trials)
    plan = plan.model_copy(update={"candidates": [result.to_summary() for result in results]})
    if "max_steps" in plan.automatic:
        longer = propose_longer_candidate(results, main_runs=main_runs)
        if longer is not None:
            return _plan_longer_pilots(plan, results, longer)
    return _choose_recipe(plan, results, notes, metric)


def _plan_longer_pilots(
    plan: PilotPlan, results: Sequence[CandidateResult], longer: Candidate
) -> LongerPilots:
    longer_plan = plan.model_copy(
        update={
            "candidates": [*plan.candidates, longer.to_untried()],
            "steps": plan.steps + PILOT_SEEDS * longer.max_steps,
        }
    )
    return LongerPilots(longer_plan, longer, _explain_longer_pilots(results, longer))


def _explain_longer_pilots(results: Sequence[CandidateResult], longer: Candidate) -> str:
    longest = list_lengths(results, longer)[-1]
    steps = longest.candidate.max_steps
    if longest.unlearned_count:
        return (
            f"{longest.unlearned_count} of {len(longest.trials)} pilots learned nothing in "
            f"{steps} steps"
        )
    return f"the validation score was still improving at {steps} steps"


def _choose_recipe(
    plan: PilotPlan,
    results: Sequence[CandidateResult],
    notes: Mapping[str, str],
    metric: str,
) -> PilotChoice:
    automatic, best = plan.automatic, select_best_candidate(results)
    if best is None:
        return _fall_back_to_rules(plan, results, notes)
    found = explain_choice(results, best, metric, automatic)
    reason = " ".join(f"{name} {note}" for name, note in found.items())
    choice = _make_choice(plan, best.candidate, {**notes, **found}, reason)
    return choice._replace(all_unusable=best.unusable_count == len(best.trials))


def _fall_back_to_rules(
    plan: PilotPlan, results: Sequence[CandidateResult], notes: Mapping[str, str]
) -> PilotChoice:
    found = {name: f"{notes[name]} (All pilots failed.)" for name in plan.automatic}
    pilots = sum(len(result.trials) for result in results)
    reason = f"All {pilots} pilots failed, so the recipe has the values of the rules."
    rule = Candidate.from_recipe(plan.rule)
    choice = _make_choice(plan, rule, {**notes, **found}, reason)
    return choice._replace(all_failed=True, all_unusable=True)


def _make_choice(
    plan: PilotPlan, candidate: Candidate, notes: dict[str, str], reason: str
) -> PilotChoice:
    chosen = plan.model_copy(update={"chosen": candidate.to_settings(), "reason": reason})
    return PilotChoice(chosen, candidate, candidate.change_recipe(plan.rule), notes, reason)


def explain_choice(
    results: Sequence[CandidateResult],
    chosen: CandidateResult,
    metric: str,
    automatic: Sequence[str],
) -> dict[str, str]:
    """Return a sentence with the numbers for each automatic setting."""
    notes: dict[str, str] = {}
    if "reinit_layers" in automatic:
        first_steps = min(result.candidate.max_steps for result in results)
        first_round = [result for result in results if result.candidate.max_steps == first_steps]
        notes["reinit_layers"] = f"{chosen.candidate.depth}: {_explain_depth(first_round, metric)}"
    if "max_steps" in automatic:
        lengths = list_lengths(results, chosen.candidate)
        notes["max_steps"] = f"{chosen.candidate.max_steps}: {_explain_length(lengths, metric)}"
    return notes


def _explain_depth(first_round: Sequence[CandidateResult], metric: str) -> str:
    scores = ", ".join(
        f"{_format_mean_score(result)} with {result.candidate.depth}" for result in first_round
    )
    return (
        f"pilots of {first_round[0].candidate.max_steps} steps from {PILOT_SEEDS} seeds reached a "
        f"mean validation {metric} of {scores} of the top blocks re-initialized; within "
        f"{SCORE_MARGIN:g} of the best mean, the shallowest is chosen."
    )


def _explain_length(lengths: Sequence[CandidateResult], metric: str) -> str:
    scores = ", ".join(
        f"{_format_mean_score(result)} in {result.candidate.max_steps} steps" for result in lengths
    )
    reached = f"pilots from {PILOT_SEEDS} seeds reached a mean validation {metric} of {scores}"
    if len(lengths) == 1:
        return f"{reached}, and longer pilots were not needed."
    return f"{reached}; a longer run is chosen if it is better by more than {SCORE_MARGIN:g}."


def _format_mean_score(result: CandidateResult) -> str:
    mean = "no score" if result.mean is None else f"{result.mean:.3f}"
    if not result.unusable_count:
        return mean
    return f"{mean} ({result.unusable_count} of {len(result.trials)} learned nothing)"
