"""The rounds of pilots: what is tried next, what it may cost, and the choice, on made-up scores."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.encoders.catalogue import EncoderFacts
from shared.recipe import RecipeRequest, resolve_recipe
from shared.recipe.candidates import Candidate
from shared.recipe.pilot_decision import NextPilots, PilotChoice, advance_pilots, describe_round
from shared.recipe.pilot_schemas import PilotPlan
from shared.recipe.pilot_trials import Scale, Trial
from shared.recipe.pilots import MIN_COST_RUNS

RULE_RATE = 5.3e-5
NOTES = dict.fromkeys(("learning_rate", "reinit_layers", "max_steps"), "1: by rule.")
Surface = Callable[[Candidate, int], Trial]


class SearchResult:
    """A whole search, with every pilot ended as a surface says."""

    def __init__(
        self,
        surface: Surface,
        *,
        runs: float = 5,
        rows: int = 500,
        blocks: int = 6,
        pairs: bool = False,
        **asked: Any,
    ) -> None:
        facts = EncoderFacts("m", "bert", blocks, 384, 512, pooling="mean")
        train_rows = asked.pop("train_rows", 1000)
        resolution = resolve_recipe(RecipeRequest(**asked), facts, train_rows, pairs=pairs)
        assert resolution.pilots is not None
        self.plan: PilotPlan = resolution.pilots
        self.trials: list[Trial] = []
        self.descriptions: list[str] = []
        [first] = self.plan.rounds or []
        candidates = [Candidate.from_recipe(one) for one in first.candidates]
        seeds = range(first.seeds)
        while True:
            self.trials += [surface(one, seed) for one in candidates for seed in seeds]
            decision = advance_pilots(
                self.plan,
                self.trials,
                resolution.notes,
                scale=Scale("accuracy", rows),
                main_runs=runs,
            )
            self.plan = decision.plan
            if isinstance(decision, PilotChoice):
                self.choice = decision
                return
            assert isinstance(decision, NextPilots)
            self.descriptions.append(describe_round(decision))
            candidates, seeds = decision.candidates, decision.seeds

    @property
    def spent(self) -> int:
        return sum(trial.candidate.max_steps for trial in self.trials)

    @property
    def rounds(self) -> list[tuple[str, int, int]]:
        """(name, candidates, seeds) of each round."""
        return [(one.name, len(one.candidates), one.seeds) for one in self.plan.rounds or []]

    @property
    def chosen(self) -> Candidate:
        return self.choice.candidate


def make_surface(
    best_factor: float = 1.0, *, noise: float = 0.0, need: float = 80, seed: int = 0
) -> tuple[Surface, Callable[[Candidate], float]]:
    """Return pilots of a task that has one best rate, and the expected score of a candidate.

    A run learns with its steps times its rate; far above the best rate it learns nothing.
    """
    source = random.Random(seed)

    def compute_quality(candidate: Candidate) -> float:
        distance = math.log2(candidate.learning_rate / RULE_RATE / best_factor)
        if distance > 3.5:
            return 0.5
        travel = candidate.max_steps * candidate.learning_rate / RULE_RATE
        learned = 1 - math.exp(-travel / need)
        return 0.5 + (0.3 - 0.006 * distance**2 - 0.005 * candidate.depth) * learned

    def train(candidate: Candidate, _seed: int) -> Trial:
        quality = compute_quality(candidate)
        if quality < 0.55:
            return Trial(candidate, 0.5, degenerate=True)
        return Trial(candidate, quality + source.gauss(0, noise))

    return train, compute_quality


def prefer(encoding: str, by: float = 0.1) -> Surface:
    """Return pilots that are better under one encoding of pairs, whatever else they have."""

    def train(candidate: Candidate, _seed: int) -> Trial:
        return Trial(candidate, 0.7 + by * (candidate.get("pair_encoding") == encoding))

    return train


def test_a_default_job_compares_networks_then_rates_then_two_finalists() -> None:
    surface, _ = make_surface(4.0)
    found = SearchResult(surface, rows=5000)
    assert found.rounds == [
        ("networks", 3, 1),
        ("rates", 2, 1),
        ("higher_rates", 1, 1),
        ("final", 2, 1),
    ]
    assert found.chosen.learning_rate == pytest.approx(4 * RULE_RATE, rel=0.02)
    assert found.choice.recipe.max_steps == 320
    assert {trial.candidate.max_steps for trial in found.trials} == {160, 320}
    assert found.spent == 5 * 320
    assert found.descriptions == [
        "Pilots: 2 pilots of 160 steps, to try other learning rates with the best network.",
        "Pilots: 1 pilot of 160 steps, to try a still higher learning rate.",
        "Pilots: 2 pilots of 320 steps, to compare the best candidates over more steps.",
    ]


@pytest.mark.parametrize("encoding", ["joined", "separate", "aligned"])
def test_pairs_are_encoded_as_the_pilots_say(encoding: str) -> None:
    found = SearchResult(prefer(encoding), pairs=True)
    recipe = found.choice.recipe.model_dump()
    assert recipe["pair_encoding"] == encoding
    assert recipe["head_first"] == (encoding != "joined")
    assert recipe["pooling"] == ("family" if encoding == "joined" else "mean")
    note = found.choice.notes["pair_encoding"]
    assert note.startswith(f"{encoding}: pilots reached a mean validation accuracy of ")
    assert "0.800 with" in note
    assert "0.700 with" in note
    assert "aligned texts, mean pooling and no block re-initialized" in note
    assert found.choice.notes["pooling"].endswith("chosen together with pair_encoding.")


def test_a_tie_keeps_the_network_of_the_rule() -> None:
    found = SearchResult(prefer("joined", by=0.005), pairs=True)
    assert found.chosen.get("pair_encoding") == "aligned"


def test_a_high_rate_has_to_beat_a_lower_one_that_had_not_learned_yet() -> None:
    """As on CoLA: within half of the steps, only high rates leave the majority answer."""

    def train(candidate: Candidate, _seed: int) -> Trial:
        rate = candidate.learning_rate
        if candidate.max_steps == 160 and rate <= RULE_RATE:
            return Trial(candidate, 0.5, degenerate=True)
        return Trial(candidate, 0.8 if rate == RULE_RATE else 0.6)

    found = SearchResult(train)
    assert found.chosen.learning_rate == RULE_RATE
    # nothing was learned in the first round, so that only higher rates are tried in the second
    assert {one.candidate.learning_rate for one in found.trials} == {RULE_RATE, 2.1e-4, 8.5e-4}


@pytest.mark.parametrize(
    ("best_factor", "runs", "finalists"), [(4, 5, 2), (4, 8, 3), (0.25, 5, 3), (1, 5, 2)]
)
def test_a_rule_that_starts_slowly_is_compared_over_the_whole_length(
    best_factor: float, runs: int, finalists: int
) -> None:
    """Others lead within half of the steps, by another network and another rate."""

    def train(candidate: Candidate, _seed: int) -> Trial:
        is_rule = candidate.depth == 0 and candidate.get("pooling") == "family"
        if candidate.max_steps == 160 and is_rule:
            return Trial(candidate, 0.5, degenerate=True)
        is_best_rate = math.isclose(candidate.learning_rate, best_factor * RULE_RATE, rel_tol=0.03)
        has_head_start = is_best_rate and candidate.max_steps == 160
        return Trial(candidate, 0.7 if is_rule or has_head_start else 0.6)

    found = SearchResult(train, runs=runs)
    assert found.rounds[-1] == ("final", finalists, 1)
    assert found.choice.recipe == found.plan.rule
    assert found.spent <= runs * 320


def test_the_head_start_of_a_high_rate_does_not_count() -> None:
    """A high rate learns sooner, so rates are compared by the scores at the whole length alone."""

    def train(candidate: Candidate, _seed: int) -> Trial:
        is_high = candidate.learning_rate > RULE_RATE
        if candidate.max_steps == 160:
            return Trial(candidate, 0.8 if is_high else 0.6)
        return Trial(candidate, 0.81 if is_high else 0.8)

    assert SearchResult(train).chosen.learning_rate == RULE_RATE


def test_finalists_are_compared_by_their_scores_at_both_lengths() -> None:
    """A lucky score at the whole length alone does not replace the rule's network."""

    def train(candidate: Candidate, _seed: int) -> Trial:
        is_joined = candidate.get("pair_encoding") == "joined"
        by_length = 0.04 if candidate.max_steps == 320 else -0.06
        return Trial(candidate, 0.7 + by_length * is_joined)

    assert SearchResult(train, rows=5000, pairs=True).chosen.get("pair_encoding") == "aligned"


def test_many_main_runs_pay_for_two_seeds_of_the_finalists() -> None:
    surface, _ = make_surface(4.0)
    assert SearchResult(surface, runs=10).rounds[-1] == ("final", 2, 2)


def test_equal_scores_leave_the_rules() -> None:
    found = SearchResult(lambda candidate, _seed: Trial(candidate, 0.8))
    assert found.choice.recipe == found.plan.rule


@pytest.mark.parametrize(("gain", "length"), [(0.0, 320), (0.1, 1280)])
def test_a_searched_length_alone_compares_two_lengths_first(gain: float, length: int) -> None:
    def train(candidate: Candidate, _seed: int) -> Trial:
        doublings = math.log2(min(candidate.max_steps, 1280) / 320)
        return Trial(candidate, 0.5 + gain * doublings)

    found = SearchResult(train, preset="longer", learning_rate=5e-5, rows=5000)
    assert found.rounds[0] == ("final", 2, 1)
    assert found.choice.recipe.max_steps == length
    assert found.spent <= MIN_COST_RUNS * length


def test_twice_the_length_is_tried_once_and_taken_if_no_pilot_learns() -> None:
    found = SearchResult(lambda candidate, _seed: Trial(candidate, 0.5, degenerate=True))
    assert [name for name, _, _ in found.rounds] == ["networks", "rates", "final", "longer"]
    assert found.choice.all_unusable
    assert found.choice.recipe.max_steps == 640
    assert found.spent <= MIN_COST_RUNS * 640
    assert found.plan.limit == MIN_COST_RUNS * 640


def test_more_steps_do_not_cure_pilots_that_fail() -> None:
    found = SearchResult(lambda candidate, _seed: Trial(candidate, None, failed=True))
    assert found.rounds == [("networks", 3, 1)]
    assert found.choice.all_failed
    assert found.choice.recipe == found.plan.rule
    assert found.choice.notes["max_steps"].endswith("(All pilots failed.)")


def test_a_candidate_of_an_earlier_round_wins_if_the_last_one_learned_nothing() -> None:
    def train(candidate: Candidate, _seed: int) -> Trial:
        unlearned = candidate.max_steps > 160 or candidate.learning_rate == RULE_RATE
        return Trial(candidate, 0.5 if unlearned else 0.7, degenerate=unlearned)

    found = SearchResult(train)
    assert not found.choice.all_unusable
    assert found.chosen.learning_rate > RULE_RATE
    assert found.choice.recipe.max_steps == 320


def test_the_notes_have_the_scores_of_every_length_and_the_rule() -> None:
    surface, _ = make_surface(4.0)
    note = SearchResult(surface, rows=5000).choice.notes
    assert note["learning_rate"].startswith(
        "0.00021: pilots reached a mean validation accuracy of "
    )
    for part in (
        "with 1.3e-05",
        "with 5.3e-05",
        "in 160 steps (1 seed); ",
        "in 320 steps (1 seed). Of means within ",
        "the rate nearest the rule's 5.3e-05 is chosen.",
    ):
        assert part in note["learning_rate"]
    assert "the family's head and 1 block re-initialized" in note["pooling"]
    assert note["max_steps"].endswith("Longer pilots were not needed.")


def test_a_plan_without_rounds_is_decided_by_its_pilots() -> None:
    """As a job has that was created before there were rounds."""
    surface, _ = make_surface(1.0)
    plan = SearchResult(surface).plan.model_copy(update={"rounds": None})
    trials = [
        Trial(Candidate.create(learning_rate=RULE_RATE, reinit_layers=depth, max_steps=320), score)
        for depth, score in ((0, 0.6), (1, 0.7), (2, 0.6))
    ]
    choice = advance_pilots(plan, trials, NOTES, scale=Scale("accuracy", 500), main_runs=5)
    assert isinstance(choice, PilotChoice)
    assert (choice.recipe.max_steps, choice.candidate.depth) == (320, 1)


ASKED: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"preset": "conventional", "learning_rate": "auto"},
        {"preset": "longer"},
        {"preset": "longer", "learning_rate": "auto"},
        {"preset": "reinit"},
        {"learning_rate": 1e-4},
        {"reinit_layers": 1, "learning_rate": "auto"},
    ]
)
OUTCOMES = st.sampled_from(["learned", "learned", "degenerate", "failed"])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_search_ends_within_its_cost_and_never_takes_what_did_not_learn(
    data: st.DataObject,
) -> None:
    """For any numbers of runs, steps, blocks and rows, and any outcomes of the pilots."""
    asked = dict(data.draw(ASKED))
    if data.draw(st.booleans()) and asked.get("preset") != "longer":
        asked["max_steps"] = data.draw(st.integers(1, 20_000))
    runs = data.draw(st.floats(1, 60))
    pairs = data.draw(st.booleans())
    source = random.Random(data.draw(st.integers(0, 10**6)))
    outcomes = data.draw(st.lists(OUTCOMES, min_size=1, max_size=4))

    def train(candidate: Candidate, _seed: int) -> Trial:
        outcome, score = source.choice(outcomes), source.uniform(0.5, 1.0)
        curve = tuple((candidate.max_steps * i // 5, score * i / 5) for i in range(1, 6))
        if outcome == "failed":
            return Trial(candidate, None, failed=True)
        return Trial(candidate, score, degenerate=outcome == "degenerate", curve=curve)

    found = SearchResult(
        train,
        runs=runs,
        rows=data.draw(st.integers(1, 5000)),
        blocks=data.draw(st.integers(1, 24)),
        pairs=pairs,
        train_rows=data.draw(st.integers(1, 30_000)),
        **asked,
    )
    assert found.spent == found.plan.steps
    assert found.spent <= max(runs, MIN_COST_RUNS) * found.choice.recipe.max_steps
    sound = [one for one in found.plan.candidates if one.scores and not one.degenerate + one.failed]
    assert not (sound and found.choice.all_unusable)


@pytest.mark.parametrize("runs", [5, 10])
@pytest.mark.parametrize("need", [20, 80, 300])
def test_the_best_rate_is_found_on_noisy_surfaces(runs: int, need: int) -> None:
    """The best of a grid is hardly missed on average, where the rule's rate may miss it by far."""
    regrets, rule_regrets = [], []
    for seed in range(40):
        best_factor = 2 ** random.Random(seed).uniform(-2, 4)
        surface, quality = make_surface(best_factor, noise=0.012, need=need, seed=seed)
        found = SearchResult(surface, runs=runs)
        rule = Candidate.from_recipe(found.plan.rule)
        grid = [
            rule.change(learning_rate=RULE_RATE * 2**exponent, reinit_layers=depth)
            for exponent in range(-2, 5)
            for depth in (0, 1, 2)
        ]
        best = max(quality(candidate) for candidate in grid)
        regrets.append(best - quality(found.chosen.change(max_steps=320)))
        rule_regrets.append(best - quality(rule))
    assert sum(regrets) / len(regrets) < 0.02
    assert sum(regrets) < sum(rule_regrets) / 1.5
    assert sorted(regrets)[36] < 0.05


def test_a_length_of_which_one_seed_learned_beats_one_that_learned_nothing() -> None:
    """Two seeds of the longest length, of which one fails, are worth more than a failure alone."""

    def train(candidate: Candidate, seed: int) -> Trial:
        has_learned = candidate.max_steps == 1280 and seed == 1
        return Trial(candidate, 0.9 if has_learned else 0.5, degenerate=not has_learned)

    found = SearchResult(train, preset="longer", learning_rate=5e-5, rows=64)
    assert found.choice.recipe.max_steps == 1280
    assert found.spent <= MIN_COST_RUNS * 1280
