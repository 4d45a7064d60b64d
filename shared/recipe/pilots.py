"""Pilots: short trial runs that search the automatic settings of a job's recipe.

The policy is successive halving (Jamieson & Talwalkar 2016): many candidates for half the length,
then the best one and what it has to beat for all of it.

1. ``networks``: the rule's network (what the head reads, and what is re-initialized) and up to two
   others (``networks``), half the length, one seed.
2. ``rates``: the best network with four times and a quarter of the rule's learning rate, and
   ``higher_rates``: sixteen times, if four times is better; same length, same seed.
3. ``final``: the best candidate and the one or two that it has to beat, whole length, another
   seed.
4. ``longer``: twice the length, where the score still improves or nothing was learned.

``pilot_rounds`` plans the rounds within the cost limit, ``pilot_trials`` ranks candidates, and
``pilot_decision`` makes the choice. Each pilot has a schedule of its own length. Pilots see the
validation rows alone, never the test rows.
"""

from collections.abc import Sequence

from shared.recipe.candidates import NETWORK_SETTINGS, Candidate
from shared.recipe.fields import MAX_LEARNING_RATE
from shared.recipe.networks import Network
from shared.recipe.pilot_schemas import PilotPlan, PilotRound
from shared.recipe.value import Recipe

PILOT_SEEDS = 2
"""Pilots per finalist where the limit allows: a single one could be an unlucky seed."""
FIRST_PILOT_SEED = 2**31
"""Pilot i of a candidate has this seed plus i. Callers' seeds are lower, so no run of a report
repeats a pilot."""
MAX_PILOT_STEPS = 3200
"""Steps of the longest pilot: the longest run that the paper tries."""
MIN_COST_RUNS = 5
"""A job of fewer main runs counts as this many in the cost limit."""
RATE_FACTORS = (4.0, 0.25)
HIGHEST_RATE_FACTOR = 16.0
"""Ladder of learning rates, as factors of the rule's: the best rate differs widely between data
sets, and the score changes little within a factor of four."""


def plan_pilots(
    recipe: Recipe, automatic: Sequence[str], networks: Sequence[Network]
) -> PilotPlan | None:
    """Return the first round of pilots; None if no setting has two values to compare.

    ``recipe`` is resolved by the rules, and its network is the first of ``networks``.
    """
    searched = [
        name
        for name in automatic
        if name not in NETWORK_SETTINGS or len({network.get(name) for network in networks}) > 1
    ]
    rule = Candidate.from_recipe(recipe)
    first_round = _plan_first_round(rule, searched, networks)
    if first_round is None:
        return None
    candidates = [Candidate.from_recipe(one) for one in first_round.candidates]
    return PilotPlan(
        automatic=searched,
        rule=recipe,
        rounds=[first_round],
        limit=compute_cost_limit(recipe.max_steps, MIN_COST_RUNS),
        candidates=[candidate.to_untried() for candidate in candidates],
        chosen=None,
        reason=None,
        seeds=[FIRST_PILOT_SEED + seed for seed in range(PILOT_SEEDS + 1)],
        steps=sum(candidate.max_steps for candidate in candidates),
    )


def _plan_first_round(
    rule: Candidate, searched: Sequence[str], networks: Sequence[Network]
) -> PilotRound | None:
    """Compare networks, else rates; if only the length is searched, two lengths."""
    halved = rule.change(max_steps=compute_half_steps(rule.max_steps))
    if len(networks) > 1:
        return create_round("networks", [halved.change(**network) for network in networks])
    if "learning_rate" in searched:
        rates = [halved, *list_rates(halved, rule, RATE_FACTORS)]
        return create_round("rates", rates)
    full = compute_full_steps(rule.max_steps)
    longer = min(2 * full, MAX_PILOT_STEPS)
    if "max_steps" not in searched or longer <= full:
        return None
    return create_round("final", [rule.change(max_steps=full), rule.change(max_steps=longer)])


def list_rates(base: Candidate, rule: Candidate, factors: Sequence[float]) -> list[Candidate]:
    """Return ``base`` with factors of the rule's learning rate, within the bounds of a recipe."""
    rates = [float(f"{rule.learning_rate * factor:.2g}") for factor in factors]
    return [base.change(learning_rate=rate) for rate in rates if rate <= MAX_LEARNING_RATE]


def create_round(
    name: str, candidates: Sequence[Candidate], seeds: int = 1, first_seed: int = 0
) -> PilotRound:
    settings = [candidate.to_settings() for candidate in candidates]
    return PilotRound(name=name, candidates=settings, seeds=seeds, first_seed=first_seed)


def compute_cost_limit(max_steps: int, main_runs: float) -> int:
    """Return the most steps that all pilots may take: those of the main runs, five at least."""
    return int(max(main_runs, MIN_COST_RUNS) * max_steps)


def compute_half_steps(max_steps: int) -> int:
    return max(1, compute_full_steps(max_steps) // 2)


def compute_full_steps(max_steps: int) -> int:
    """Return the longest pilots' steps before any longer length is tried."""
    return min(max_steps, MAX_PILOT_STEPS)
