"""The decision once all planned pilots have ended: a further round, or the job's recipe."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.domain.wording import format_count
from shared.recipe.candidates import Candidate
from shared.recipe.pilot_notes import explain_choice
from shared.recipe.pilot_rounds import propose_round
from shared.recipe.pilot_schemas import PilotPlan, PilotRound
from shared.recipe.pilot_search import Search, list_lengths, select_winner
from shared.recipe.pilot_trials import Scale, Trial, summarize_trials
from shared.recipe.pilots import compute_cost_limit
from shared.recipe.value import ForeignRecipe, Recipe

ROUND_PURPOSES = {
    "rates": "try other learning rates with the best network",
    "higher_rates": "try a still higher learning rate",
    "final": "compare the best candidates over more steps",
    "longer": "try more steps, because the score was still improving or pilots learned nothing",
}
"""What the pilots of each further round are for, after the word "to"."""


class NextPilots(NamedTuple):
    """The candidates to try next, because the evidence does not suffice."""

    plan: PilotPlan
    candidates: list[Candidate]
    seeds: range
    """Numbers of each candidate's seeds."""
    purpose: str
    """What the pilots are for, after the word "to"."""


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
    scale: Scale,
    main_runs: float,
) -> NextPilots | PilotChoice:
    """Decide what follows the pilots tried so far; ``notes`` are the recipe's, by the rules."""
    results = summarize_trials(trials)
    plan = plan.model_copy(update={"candidates": [result.to_summary() for result in results]})
    search = Search(plan, results, main_runs, scale)
    proposal = propose_round(search)
    if proposal is not None:
        return _plan_next_pilots(search, proposal)
    return _choose_recipe(search, notes)


def _plan_next_pilots(search: Search, proposal: PilotRound) -> NextPilots:
    plan = search.plan
    candidates = [Candidate.from_recipe(one) for one in proposal.candidates]
    steps = proposal.seeds * sum(candidate.max_steps for candidate in candidates)
    tried = {result.candidate for result in search.results}
    new = [candidate.to_untried() for candidate in candidates if candidate not in tried]
    next_plan = plan.model_copy(
        update={
            "rounds": [*search.rounds, proposal],
            "candidates": [*plan.candidates, *new],
            "steps": plan.steps + steps,
            "limit": compute_cost_limit(
                search.get_main_steps(candidates[0])
                if search.has_learned_nothing
                else search.rule.max_steps,
                search.main_runs,
            ),
        }
    )
    seeds = range(proposal.first_seed, proposal.first_seed + proposal.seeds)
    return NextPilots(next_plan, candidates, seeds, ROUND_PURPOSES[proposal.name])


def _choose_recipe(search: Search, notes: Mapping[str, str]) -> PilotChoice:
    best = select_winner(search)
    if best is None:
        return _fall_back_to_rules(search, notes)
    candidate = best.candidate.change(max_steps=search.get_main_steps(best.candidate))
    found = explain_choice(search, candidate, notes)
    reason = " ".join(f"{name} {note}" for name, note in found.items())
    choice = _make_choice(search.plan, candidate, {**notes, **found}, reason)
    tried = list_lengths(search.results, best.candidate)
    return choice._replace(all_unusable=all(result.has_learned_nothing for result in tried))


def _fall_back_to_rules(search: Search, notes: Mapping[str, str]) -> PilotChoice:
    plan = search.plan
    found = {name: f"{notes[name]} (All pilots failed.)" for name in plan.automatic}
    pilots = sum(len(result.trials) for result in search.results)
    reason = f"All {pilots} pilots failed, so the recipe has the values of the rules."
    choice = _make_choice(plan, search.rule, {**notes, **found}, reason)
    return choice._replace(all_failed=True, all_unusable=True)


def _make_choice(
    plan: PilotPlan, candidate: Candidate, notes: dict[str, str], reason: str
) -> PilotChoice:
    chosen = plan.model_copy(update={"chosen": candidate.to_settings(), "reason": reason})
    return PilotChoice(chosen, candidate, candidate.change_recipe(plan.rule), notes, reason)


def describe_round(pilots: NextPilots) -> str:
    """Describe the next pilots in a sentence."""
    count = len(pilots.candidates) * len(pilots.seeds)
    lengths = sorted({candidate.max_steps for candidate in pilots.candidates})
    steps = " and ".join(format_count(length, "step") for length in lengths)
    return f"Pilots: {format_count(count, 'pilot')} of {steps}, to {pilots.purpose}."
