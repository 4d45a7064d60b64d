"""The rounds of pilots after the first: which candidates are tried, how long, on how many seeds.

All pilots together take at most as many steps as the main runs at the chosen length, where a job of
fewer than five main runs counts as five. Of five runs' 5 L steps, networks take three halves of L,
rates two, a higher rate one, and the final round 2 L.
"""

from collections.abc import Sequence

from shared.recipe.candidates import Candidate
from shared.recipe.pilot_schemas import PilotRound
from shared.recipe.pilot_search import (
    HALF_ROUNDS,
    LAST_ROUNDS,
    Search,
    list_finalists,
    list_lengths,
    select_winner,
)
from shared.recipe.pilot_trials import CandidateResult, is_still_improving
from shared.recipe.pilots import (
    HIGHEST_RATE_FACTOR,
    MAX_PILOT_STEPS,
    PILOT_SEEDS,
    RATE_FACTORS,
    create_round,
    list_rates,
)

FINALISTS = 2
FINAL_SEED = 1
"""The final round's first seed, which no earlier round has used."""


def propose_round(search: Search) -> PilotRound | None:
    """Return the next round; None if the evidence suffices or more would cost too much."""
    if not search.rounds:  # planned by a version without rounds
        return None
    planners = {
        "networks": (_plan_rates, _plan_final),
        "rates": (_plan_higher_rates, _plan_final),
        "higher_rates": (_plan_final,),
        "final": (_plan_longer,),
        "longer": (_plan_longer,),
    }[search.rounds[-1].name]
    proposals = (planner(search) for planner in planners)
    return next((proposal for proposal in proposals if proposal is not None), None)


def _plan_rates(search: Search) -> PilotRound | None:
    """Try the best network with other rates; with higher ones only if nothing was learned."""
    if "learning_rate" not in search.plan.automatic:
        return None
    best = search.select_best(search.results)
    if best is None:  # all failed
        return None
    factors = (4.0, HIGHEST_RATE_FACTOR) if search.has_learned_nothing else RATE_FACTORS
    return _plan_cheap_round(search, "rates", list_rates(best.candidate, search.rule, factors))


def _plan_cheap_round(
    search: Search, name: str, candidates: Sequence[Candidate]
) -> PilotRound | None:
    """Plan pilots of half the length, if a final round still fits afterwards."""
    steps = len(candidates) * search.half_steps + FINALISTS * (search.full_steps * 3 // 4)
    if not candidates or steps > search.compute_room(search.rule.max_steps):
        return None
    return create_round(name, candidates)


def _plan_higher_rates(search: Search) -> PilotRound | None:
    """Try the highest rate if the one below it leads clearly."""
    best = search.select_best(search.list_results(*HALF_ROUNDS))
    if best is None or not best.has_learned:
        return None
    if best.candidate.learning_rate <= search.rule.learning_rate:
        return None
    rates = list_rates(best.candidate, search.rule, [HIGHEST_RATE_FACTOR])
    tried = {result.candidate for result in search.results}
    return _plan_cheap_round(search, "higher_rates", [one for one in rates if one not in tried])


def _plan_final(search: Search) -> PilotRound | None:
    """Compare the finalists over the whole length, or nearly, on as many seeds as fit."""
    finalists = list_finalists(search)
    full = search.full_steps
    room = search.compute_room(search.rule.max_steps)
    if len(finalists) == 1:
        return _plan_lengths(search, finalists[0], room)
    for count in range(len(finalists), 1, -1):
        for steps, seeds in ((full, PILOT_SEEDS), (full, 1), (full * 3 // 4, 1)):
            if 0 < count * seeds * steps <= room:
                candidates = [one.change(max_steps=steps) for one in finalists[:count]]
                return create_round("final", candidates, seeds, FINAL_SEED)
    return None


def _plan_lengths(search: Search, finalist: Candidate, room: int) -> PilotRound | None:
    """Compare the length of the rule with twice that, if nothing else is left to compare."""
    lengths = (search.full_steps, 2 * search.full_steps)
    if "max_steps" not in search.plan.automatic or lengths[1] > MAX_PILOT_STEPS:
        return None
    if sum(lengths) > room:
        return None
    candidates = [finalist.change(max_steps=steps) for steps in lengths]
    return create_round("final", candidates, 1, FINAL_SEED)


def _plan_longer(search: Search) -> PilotRound | None:
    """Try twice the length while the score still improves, or once if nothing was learned."""
    candidate = find_longer_candidate(search)
    if candidate is None:
        return None
    hopeless = search.has_learned_nothing
    if hopeless and search.rounds[-1].name == "longer":
        return None
    winner = select_winner(search)
    assert winner is not None, "a longer candidate extends one with a score"
    # if nothing has been learned, the longer candidate will be chosen, so it sets the limit
    main_steps = search.get_main_steps(candidate if hopeless else winner.candidate)
    for seeds in (PILOT_SEEDS, 1):
        if seeds * candidate.max_steps <= search.compute_room(main_steps):
            return create_round("longer", [candidate], seeds, FINAL_SEED)
    return None


def find_longer_candidate(search: Search) -> Candidate | None:
    """Return the best candidate at twice its longest length, if that promises more."""
    if "max_steps" not in search.plan.automatic:
        return None
    last = search.list_results(*LAST_ROUNDS)
    best = search.select_best(last)
    if best is None:  # all failed: more steps do not cure a loss that is NaN
        return None
    longest = list_lengths(last, best.candidate)[-1]
    if longest.has_failed or not (longest.unlearned_count or _is_longer_worthwhile(last, best)):
        return None
    steps = min(2 * max(longest.candidate.max_steps, search.full_steps), MAX_PILOT_STEPS)
    return (
        None if steps <= longest.candidate.max_steps else longest.candidate.change(max_steps=steps)
    )


def _is_longer_worthwhile(results: Sequence[CandidateResult], best: CandidateResult) -> bool:
    """Return whether the longest run beat the one before, or, if alone, is still improving."""
    lengths = list_lengths(results, best.candidate)
    if len(lengths) == 1:
        curves = [trial.curve for trial in best.trials]
        return is_still_improving(curves, best.candidate.max_steps)
    return best is lengths[-1]
