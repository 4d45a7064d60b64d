"""The pilots' first round, the candidates, and how their scores are ranked."""

import pytest

from shared.recipe.candidates import SEARCHED_SETTINGS, Candidate
from shared.recipe.networks import Network
from shared.recipe.pilot_schemas import PilotPlan, PilotSettings
from shared.recipe.pilot_trials import (
    SCORE_MARGIN,
    CandidateResult,
    Scale,
    Trial,
    is_still_improving,
    select_best_candidate,
    summarize_trials,
)
from shared.recipe.pilots import RATE_FACTORS, list_rates, plan_pilots
from tests.rows import RECIPE

FLAT = ((64, 0.5), (128, 0.5), (192, 0.5), (256, 0.5), (320, 0.5))
RISING = ((64, 0.1), (128, 0.2), (192, 0.3), (256, 0.4), (320, 0.5))
PEAKED = ((64, 0.5), (128, 0.6), (192, 0.5), (256, 0.5), (320, 0.5))
RULE = Candidate.create(learning_rate=2e-5, reinit_layers=1, max_steps=320)
MANY_ROWS = Scale("accuracy", 100_000)


def make_candidate(rate: float = 2e-5, depth: int = 1, steps: int = 320) -> Candidate:
    return Candidate.create(learning_rate=rate, reinit_layers=depth, max_steps=steps)


def make_result(
    candidate: Candidate, *scores: float | None, degenerate: int = 0
) -> CandidateResult:
    """Return a candidate's result, its first ``degenerate`` trials so; None is a failed trial."""
    trials = [
        Trial(candidate, score, failed=score is None, degenerate=index < degenerate)
        for index, score in enumerate(scores)
    ]
    return CandidateResult(candidate, tuple(trials))


def test_rates_are_a_quarter_and_four_times_the_rule() -> None:
    rates = [one.learning_rate for one in list_rates(RULE, RULE, RATE_FACTORS)]
    assert rates == [8e-5, 5e-6]
    high = RULE.change(learning_rate=5e-3)
    assert [one.learning_rate for one in list_rates(high, high, RATE_FACTORS)] == [1.3e-3]


def test_the_first_round_compares_networks_at_half_the_length() -> None:
    recipe = RECIPE.model_copy(update={"max_steps": 320})
    networks: list[Network] = [{"reinit_layers": depth} for depth in (1, 0, 2)]
    plan = plan_pilots(recipe, ["reinit_layers", "learning_rate", "max_steps"], networks)
    assert plan is not None
    assert [(one.learning_rate, one.reinit_layers, one.max_steps) for one in plan.candidates] == [
        (2e-5, depth, 160) for depth in (1, 0, 2)
    ]
    assert (plan.steps, plan.limit) == (3 * 160, 5 * 320)
    assert plan_pilots(recipe, [], networks[:1]) is None


def test_a_single_network_compares_rates_first() -> None:
    recipe = RECIPE.model_copy(update={"max_steps": 320})
    plan = plan_pilots(recipe, ["reinit_layers", "learning_rate"], [{"reinit_layers": 0}])
    assert plan is not None
    assert [one.learning_rate for one in plan.candidates] == [2e-5, 8e-5, 5e-6]
    assert plan.automatic == ["learning_rate"]


def test_a_search_without_a_second_value_is_none() -> None:
    recipe = RECIPE.model_copy(update={"reinit_layers": 0, "max_steps": 5000})
    assert plan_pilots(recipe, ["reinit_layers"], [{"reinit_layers": 0}]) is None
    # longer than any pilot
    assert plan_pilots(recipe, ["max_steps"], [{"reinit_layers": 0}]) is None


def test_a_candidate_has_the_searched_settings_of_a_recipe() -> None:
    recipe = RECIPE.model_copy(update={"reinit_layers": [0, 2], "max_steps": 40})
    candidate = Candidate.from_recipe(recipe)
    settings = candidate.to_settings()
    assert settings.model_dump() == {
        "pair_encoding": "joined",
        "pooling": "family",
        "head_first": False,
        "reinit_pooler": RECIPE.reinit_pooler,
        "learning_rate": 2e-5,
        "reinit_layers": [0, 2],
        "max_steps": 40,
    }
    assert Candidate.from_recipe(settings) == candidate
    assert (candidate.depth, len({candidate, Candidate.from_recipe(recipe)})) == (2, 1)
    shorter = candidate.change(max_steps=10).change_recipe(
        recipe.model_copy(update={"num_train_epochs": 3.0})
    )
    assert shorter == recipe.model_copy(update={"max_steps": 10})  # its length is not the epochs'


def test_every_searched_setting_is_one_of_a_recipe() -> None:
    assert set(SEARCHED_SETTINGS) <= RECIPE.model_dump().keys()


def test_plans_stored_before_pilots_searched_the_rate_can_be_read() -> None:
    stored = {
        "automatic": ["reinit_layers", "max_steps"],
        "rule": RECIPE.model_dump(mode="json"),
        "candidates": [
            {
                "reinit_layers": 0,
                "max_steps": 320,
                "scores": [0.5, None],
                "degenerate": 0,
                "failed": 1,
                "mean": 0.5,
            }
        ],
        "chosen": {"reinit_layers": 0, "max_steps": 320},
        "reason": "reinit_layers 0: it was best.",
        "seeds": [2**31, 2**31 + 1],
        "steps": 640,
    }
    plan = PilotPlan.model_validate(stored)
    assert plan.model_dump(mode="json", exclude_unset=True) == stored
    assert plan.chosen == PilotSettings(reinit_layers=0, max_steps=320)


def prefer_rule(candidate: Candidate) -> tuple[float, ...]:
    return candidate.max_steps, candidate.compute_rate_distance(RULE), candidate.depth


def select(*results: CandidateResult, scale: Scale = MANY_ROWS) -> Candidate | None:
    best = select_best_candidate(results, prefer_rule, scale)
    return None if best is None else best.candidate


def test_the_highest_mean_wins() -> None:
    assert select(
        make_result(make_candidate(depth=0), 0.5, 0.5),
        make_result(make_candidate(depth=1), 0.5, 0.6),
        make_result(make_candidate(depth=2), 0.52, 0.52),
    ) == make_candidate(depth=1)


def test_within_the_margin_the_shorter_the_rule_and_the_shallower_win() -> None:
    high, low = make_candidate(8e-5), make_candidate(5e-6)
    assert select(make_result(high, 0.505), make_result(make_candidate(), 0.5)) == RULE
    assert select(make_result(low, 0.505), make_result(make_candidate(), 0.5)) == RULE
    assert select(make_result(high, 0.52), make_result(make_candidate(), 0.5)) == high
    assert select(
        make_result(make_candidate(depth=2), 0.508),
        make_result(make_candidate(depth=1), 0.502),
        make_result(make_candidate(depth=0), 0.49),
    ) == make_candidate(depth=1)
    longer = make_candidate(steps=640)
    assert select(make_result(longer, 0.509), make_result(make_candidate(), 0.5)) == RULE


def test_the_margin_grows_as_the_validation_rows_get_fewer() -> None:
    high = make_result(make_candidate(8e-5), 0.77)
    rule = make_result(make_candidate(), 0.74)
    assert select(high, rule, scale=Scale("accuracy", 1000)) == high.candidate
    assert select(high, rule, scale=Scale("accuracy", 40)) == RULE
    margins = [Scale("mcc", rows).compute_margin(0.4) for rows in (10, 100, 1000, 10**6)]
    assert margins == sorted(margins, reverse=True)
    assert margins[-1] == SCORE_MARGIN
    # a high correlation is known more precisely than a low one
    assert Scale("pearson", 100).compute_margin(0.9) < Scale("pearson", 100).compute_margin(0.3)


def test_a_candidate_that_learns_from_every_seed_beats_one_that_does_not() -> None:
    sound = make_result(make_candidate(depth=1), 0.2, 0.3)
    assert select(make_result(make_candidate(depth=0), 0.0, 0.8, degenerate=1), sound) == RULE
    assert select(make_result(make_candidate(depth=0), None, 0.8), sound) == RULE


def test_the_rule_wins_if_none_learned_and_none_wins_if_all_failed() -> None:
    high = make_candidate(8e-5)
    assert (
        select(
            make_result(high, 0.0, 0.0, degenerate=2),
            make_result(make_candidate(), 0.0, 0.0, degenerate=2),
        )
        == RULE
    )
    assert select(make_result(high, None, None), make_result(make_candidate(), None)) is None


def test_trials_of_a_candidate_come_together_the_shortest_first() -> None:
    long, short = make_candidate(steps=640), make_candidate(8e-5, 0, 80)
    trials = [Trial(long, 0.6), Trial(short, 0.4, degenerate=True), Trial(long, 0.7)]
    results = summarize_trials(trials)
    assert [result.candidate for result in results] == [short, long]
    assert results[1].to_summary().model_dump() == {
        "learning_rate": 2e-5,
        "reinit_layers": 1,
        "max_steps": 640,
        "scores": [0.6, 0.7],
        "degenerate": 0,
        "failed": 0,
        "mean": pytest.approx(0.65),
    }


@pytest.mark.parametrize(
    ("curve", "improving"), [(FLAT, False), (RISING, True), (PEAKED, False), (((320, 0.9),), False)]
)
def test_a_score_that_peaks_late_is_still_improving(
    curve: tuple[tuple[int, float], ...], improving: bool
) -> None:
    assert is_still_improving([curve, curve], 320) is improving


def test_small_rises_and_the_noise_of_a_single_seed_do_not_count() -> None:
    slow = tuple((step, 0.5 + step / 1e5) for step in (64, 128, 192, 256, 320))
    assert not is_still_improving([slow, slow], 320)
    falling = tuple((step, 0.6 - score) for step, score in RISING)
    assert not is_still_improving([RISING, falling], 320)
