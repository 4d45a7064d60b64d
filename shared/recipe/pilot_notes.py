"""Why pilots led to a recipe: one sentence for each searched setting, with the scores."""

from collections.abc import Callable, Mapping, Sequence

from shared.domain.wording import format_count
from shared.recipe.candidates import NETWORK_SETTINGS, Candidate, SettingValue, describe_network
from shared.recipe.pilot_rounds import find_longer_candidate
from shared.recipe.pilot_search import HALF_ROUNDS, LAST_ROUNDS, Search, list_lengths
from shared.recipe.pilot_trials import CandidateResult


def explain_choice(
    search: Search, chosen: Candidate, rule_notes: Mapping[str, str]
) -> dict[str, str]:
    """Return a sentence for each automatic setting; ``rule_notes`` explain the rules' values."""
    automatic = search.plan.automatic
    notes: dict[str, str] = {}
    searched = [name for name in NETWORK_SETTINGS if name in automatic]
    for name in searched:
        value = _format_setting(chosen.get(name))
        if name == searched[0]:
            notes[name] = f"{value}: {_explain_network(search)}"
        else:
            notes[name] = f"{value}: chosen together with {searched[0]}."
    if "learning_rate" in automatic:
        notes["learning_rate"] = _explain_rate(search, chosen)
    if "max_steps" in automatic:
        notes["max_steps"] = _explain_length(search, chosen, rule_notes.get("max_steps", ""))
    return notes


def _explain_network(search: Search) -> str:
    pairs = "pair_encoding" in search.plan.automatic

    def describe(candidate: Candidate) -> str:
        return describe_network(candidate, pairs=pairs)

    compared = _list_comparisons(search, lambda candidate: candidate.learning_rate)
    return f"{_format_comparisons(search, compared, describe)}, that of the rule is chosen."


def _explain_rate(search: Search, chosen: Candidate) -> str:
    value = _format_setting(chosen.learning_rate)
    compared = _list_comparisons(search, lambda candidate: candidate.network)
    if not compared:
        return f"{value}: by the rule; comparing other values would have cost too many steps."
    scores = _format_comparisons(
        search, compared, lambda candidate: _format_setting(candidate.learning_rate)
    )
    return (
        f"{value}: {scores}, the rate nearest the rule's {search.rule.learning_rate:g} is chosen."
    )


def _list_comparisons(
    search: Search, get_constant: Callable[[Candidate], object]
) -> list[list[CandidateResult]]:
    """Return, for each length, the largest group of results that agree in ``get_constant``."""
    by_length: dict[int, list[CandidateResult]] = {}
    groups: dict[tuple[int, object], list[CandidateResult]] = {}
    for result in search.list_results(*HALF_ROUNDS, *LAST_ROUNDS):
        key = result.candidate.max_steps, get_constant(result.candidate)
        groups.setdefault(key, []).append(result)
    for (steps, _), group in groups.items():
        if len(group) > max(1, len(by_length.get(steps, []))):
            by_length[steps] = group
    return [by_length[steps] for steps in sorted(by_length)]


def _format_comparisons(
    search: Search,
    compared: Sequence[Sequence[CandidateResult]],
    describe: Callable[[Candidate], str],
) -> str:
    """Return the scores of each length, and the beginning of the rule for ties."""
    scores = "; ".join(_format_comparison(group, describe) for group in compared)
    top = max((result.mean or 0.0 for result in compared[-1]), default=0.0) if compared else 0.0
    return (
        f"pilots reached a mean validation {search.scale.metric} of {scores}. Of means within "
        f"{search.scale.compute_margin(top):.2g} of the best"
    )


def _format_comparison(
    group: Sequence[CandidateResult], describe: Callable[[Candidate], str]
) -> str:
    scores = ", ".join(
        f"{_format_mean_score(result)} with {describe(result.candidate)}" for result in group
    )
    steps = format_count(group[0].candidate.max_steps, "step")
    seeds = format_count(max(len(result.trials) for result in group), "seed")
    return f"{scores} in {steps} ({seeds})"


def _explain_length(search: Search, chosen: Candidate, rule_note: str) -> str:
    lengths = list_lengths(search.list_results(*LAST_ROUNDS) or search.results, chosen)
    if len(lengths) < 2:
        rule = rule_note or f"{chosen.max_steps}: by the rule."
        if find_longer_candidate(search) is None:
            return f"{rule} Longer pilots were not needed."
        return f"{rule} Longer pilots would have taken more steps than the main runs."
    scores = ", ".join(
        f"{_format_mean_score(result)} in {format_count(result.candidate.max_steps, 'step')}"
        for result in lengths
    )
    margin = search.scale.compute_margin(max(result.mean or 0.0 for result in lengths))
    tie = (
        "no pilot learned anything, so the longest is chosen"
        if search.has_learned_nothing
        else f"a longer run is chosen if it is better by more than {margin:.2g}"
    )
    return (
        f"{chosen.max_steps}: pilots reached a mean validation {search.scale.metric} of "
        f"{scores}; {tie}."
    )


def _format_mean_score(result: CandidateResult) -> str:
    mean = "no score" if result.mean is None else f"{result.mean:.3f}"
    if not result.unusable_count:
        return mean
    if len(result.trials) == 1:
        return f"{mean} (learned nothing)"
    return f"{mean} ({result.unusable_count} of {len(result.trials)} learned nothing)"


def _format_setting(value: SettingValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return str(list(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
