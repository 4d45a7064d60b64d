"""The state of a search by pilots: what has been tried, what it may still cost, and who leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.recipe.candidates import Candidate
from shared.recipe.pilot_schemas import PilotPlan, PilotRound
from shared.recipe.pilot_trials import CandidateResult, Scale, select_best_candidate
from shared.recipe.pilots import compute_cost_limit, compute_full_steps, compute_half_steps

HALF_ROUNDS = ("networks", "rates", "higher_rates")
LAST_ROUNDS = ("final", "longer")


@dataclass(frozen=True)
class Search:
    """A job's pilots so far, and what they may cost."""

    plan: PilotPlan
    results: Sequence[CandidateResult]
    main_runs: float
    """Main runs of full length; a run that early discard stops counts with its share."""
    scale: Scale

    @cached_property
    def rule(self) -> Candidate:
        return Candidate.from_recipe(self.plan.rule)

    @property
    def full_steps(self) -> int:
        return compute_full_steps(self.rule.max_steps)

    @property
    def half_steps(self) -> int:
        return compute_half_steps(self.rule.max_steps)

    @property
    def rounds(self) -> Sequence[PilotRound]:
        return self.plan.rounds or []

    def list_results(self, *names: str) -> list[CandidateResult]:
        """Return the results of the candidates of these rounds."""
        tried = {
            Candidate.from_recipe(settings)
            for planned in self.rounds
            if planned.name in names
            for settings in planned.candidates
        }
        return [result for result in self.results if result.candidate in tried]

    def get_preference(self, candidate: Candidate) -> tuple[float, ...]:
        """Return a key that sorts candidates of equal scores, the preferred one first.

        The shorter comes first, then the rule's network, then the rate nearest to the rule's.
        """
        networks = list(dict.fromkeys(result.candidate.network for result in self.results))
        place = networks.index(candidate.network) if candidate.network in networks else 0
        return candidate.max_steps, place, candidate.compute_rate_distance(self.rule)

    def select_best(self, results: Sequence[CandidateResult]) -> CandidateResult | None:
        return select_best_candidate(results, self.get_preference, self.scale)

    def rank(self, results: Sequence[CandidateResult]) -> list[CandidateResult]:
        """Return results with a score, the best first, whatever the margin."""
        usable = [result for result in results if not result.has_failed and result.mean is not None]
        return sorted(
            usable,
            key=lambda result: (
                result.unusable_share,
                0.0 if not result.has_learned else -(result.mean or 0.0),
                self.get_preference(result.candidate),
            ),
        )

    @property
    def has_learned_nothing(self) -> bool:
        """Whether every trial failed or was degenerate."""
        return all(result.has_learned_nothing for result in self.results)

    def get_main_steps(self, candidate: Candidate) -> int:
        """Return the length of the main runs if the candidate is chosen."""
        longer = candidate.max_steps > self.full_steps
        return candidate.max_steps if longer else self.rule.max_steps

    def compute_room(self, main_steps: int) -> int:
        """Return the steps that further pilots may take if the main runs have this length."""
        spent = sum(result.steps for result in self.results)
        return compute_cost_limit(main_steps, self.main_runs) - spent


def select_winner(search: Search) -> CandidateResult | None:
    """Return the result whose settings the recipe gets, or None if every pilot failed.

    The last rounds decide. If no candidate of theirs learned from every seed, one that learned in
    an earlier round comes first. If nothing was learned at all, the longest length does.
    """
    finalists = search.list_results(*LAST_ROUNDS)
    best = search.select_best(_add_half_scores(search, finalists) or search.results)
    if best is None or best.has_learned:
        return best if best is not None else search.select_best(search.results)
    if search.has_learned_nothing:
        return list_lengths(finalists or search.results, best.candidate)[-1]
    learned = [result for result in search.results if result.has_learned]
    others = [one for one in learned if not list_lengths(finalists, one.candidate)]
    return search.select_best(others or learned) or best


def _add_half_scores(
    search: Search, finalists: Sequence[CandidateResult]
) -> Sequence[CandidateResult]:
    """Return the finalists with their scores at half the length as further evidence.

    As they are if one of them was not tried there or learned nothing, or if their rates differ: a
    low rate needs the whole length. Finalists of several lengths are compared by their own scores
    too.
    """
    if len({result.candidate.max_steps for result in finalists}) != 1:
        return finalists
    if len({result.candidate.learning_rate for result in finalists}) != 1:
        return finalists
    halves = {
        result.candidate: result
        for result in search.list_results(*HALF_ROUNDS)
        if result.has_learned
    }
    pairs = [
        (result, halves.get(result.candidate.change(max_steps=search.half_steps)))
        for result in finalists
    ]
    if any(half is None or not result.has_learned for result, half in pairs):
        return finalists
    return [
        CandidateResult(result.candidate, result.trials, half.trials)
        for result, half in pairs
        if half is not None
    ]


def list_lengths(results: Sequence[CandidateResult], candidate: Candidate) -> list[CandidateResult]:
    """Return the results that differ from the candidate at most in the length, shortest first."""
    same = candidate.change(max_steps=0)
    return [result for result in results if result.candidate.change(max_steps=0) == same]


def list_finalists(search: Search) -> list[Candidate]:
    """Return the candidates to compare over the whole length: the best, and what it has to beat.

    That is the rule itself if it has learned nothing yet, and the rule's rate if the best has
    another one: within half the length, some networks and high rates learn sooner. Otherwise it is
    the best of the others. If not all can be compared, the last is left out.
    """
    halves = search.list_results(*HALF_ROUNDS)
    best = search.select_best(halves)
    if best is None:
        return []
    at_rule_rate = best.candidate.change(learning_rate=search.rule.learning_rate)
    rule = search.rule.change(max_steps=search.half_steps)
    slow = [one.candidate for one in halves if one.candidate == rule and not one.has_learned]
    rivals = [one for one in (*slow, at_rule_rate) if one != best.candidate]
    if not rivals:
        others = [one.candidate for one in search.rank(halves) if one.candidate != best.candidate]
        rivals = others[:1]
    return list(dict.fromkeys([best.candidate, *rivals]))
