"""The policy of the pilots: what is tried, when longer ones are called for, which candidate wins, and why."""

from itertools import pairwise

import pytest

from shared.recipe.pilot_decision import explain_choice
from shared.recipe.pilot_trials import (
    MAX_COST_SHARE,
    MAX_PILOT_STEPS,
    MIN_COST_RUNS,
    Trial,
    is_still_improving,
    propose_longer_candidate,
    select_best_candidate,
    summarize_trials,
)
from shared.recipe.pilots import (
    Candidate,
    LayerSelection,
    build_first_round,
    list_depth_candidates,
)

FLAT = ((64, 0.5), (128, 0.5), (192, 0.5), (256, 0.5), (320, 0.5))
RISING = ((64, 0.1), (128, 0.2), (192, 0.3), (256, 0.4), (320, 0.5))
PEAKED = ((64, 0.5), (128, 0.6), (192, 0.5), (256, 0.5), (320, 0.5))


def trials(
    layers: LayerSelection,
    steps: int,
    *scores: float | None,
    degenerate: int = 0,
    curve: object = FLAT,
) -> list[Trial]:
    """A candidate's; the first ``degenerate`` of them learnt nothing, a score of None is a failure."""
    points = tuple((step * steps // 320, score) for step, score in curve)  # type: ignore[attr-defined]
    return [
        Trial(
            Candidate(layers, steps),
            score,
            failed=score is None,
            degenerate=index < degenerate,
            curve=points,
        )
        for index, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("rule", "blocks", "depths"),
    [(0, 1, [0]), (1, 1, [0, 1]), (1, 6, [0, 1, 2]), (2, 12, [0, 2, 4]), (4, 24, [0, 4, 8])],
)
def test_depths_are_none_the_rule_s_and_twice_that(
    rule: int, blocks: int, depths: list[int]
) -> None:
    assert list_depth_candidates(rule, blocks) == depths
    assert build_first_round(depths, 320) == [Candidate(depth, 320) for depth in depths]


def test_a_candidate_is_the_searched_part_of_a_recipe() -> None:
    recipe = {"reinit_layers": [0, 2], "max_steps": 40, "learning_rate": 0.1}
    assert Candidate.from_recipe(recipe) == Candidate((0, 2), 40)
    assert Candidate.from_recipe(recipe).to_settings() == {"reinit_layers": [0, 2], "max_steps": 40}
    assert (Candidate.from_recipe(recipe).depth, Candidate(3, 40).depth) == (2, 3)


def chosen(*tried: list[Trial]) -> Candidate | None:
    found = select_best_candidate(summarize_trials([trial for one in tried for trial in one]))
    return None if found is None else found.candidate


def test_the_highest_mean_wins() -> None:
    assert chosen(
        trials(0, 320, 0.5, 0.5), trials(1, 320, 0.5, 0.6), trials(2, 320, 0.52, 0.52)
    ) == Candidate(1, 320)


def test_within_the_margin_the_shallower_and_the_shorter_win() -> None:
    assert chosen(
        trials(2, 320, 0.508, 0.508), trials(1, 320, 0.502, 0.502), trials(0, 320, 0.49, 0.49)
    ) == Candidate(1, 320)
    assert chosen(trials(1, 640, 0.509, 0.509), trials(1, 320, 0.5, 0.5)) == Candidate(1, 320)


def test_a_candidate_that_learns_from_every_seed_beats_one_that_does_not() -> None:
    assert chosen(trials(0, 320, 0.0, 0.8, degenerate=1), trials(1, 320, 0.2, 0.3)) == Candidate(
        1, 320
    )
    assert chosen(trials(0, 320, None, 0.8), trials(1, 320, 0.2, 0.3)) == Candidate(1, 320)


def test_where_all_learnt_nothing_the_shallowest_is_as_good_as_any_and_where_all_failed_there_is_no_choice() -> (
    None
):
    assert chosen(
        trials(0, 320, 0.0, 0.0, degenerate=2), trials(1, 320, 0.0, 0.0, degenerate=2)
    ) == Candidate(0, 320)
    assert chosen(trials(0, 320, None, None), trials(1, 320, None, None)) is None


@pytest.mark.parametrize(
    ("curve", "improving"), [(FLAT, False), (RISING, True), (PEAKED, False), (((320, 0.9),), False)]
)
def test_still_improving(curve: tuple[tuple[int, float], ...], improving: bool) -> None:
    assert is_still_improving([curve, curve], 320) is improving


def test_a_rise_within_the_margin_is_none_and_one_seed_s_noise_is_averaged() -> None:
    slow = tuple((step, 0.5 + step / 1e5) for step in (64, 128, 192, 256, 320))
    assert not is_still_improving([slow, slow], 320)
    falling = tuple((step, 0.6 - score) for step, score in RISING)
    assert not is_still_improving([RISING, falling], 320)


def longer(*tried: list[Trial], runs: int = 5) -> Candidate | None:
    return propose_longer_candidate(
        summarize_trials([trial for one in tried for trial in one]), main_runs=runs
    )


def test_twice_the_length_is_tried_where_the_best_depth_still_rises_or_learns_nothing() -> None:
    worse = trials(0, 320, 0.1, 0.1)
    assert longer(worse, trials(1, 320, 0.5, 0.5)) is None
    assert longer(worse, trials(1, 320, 0.5, 0.5, curve=RISING)) == Candidate(1, 640)
    assert (
        longer(trials(0, 320, 0.1, 0.1, curve=RISING), trials(1, 320, 0.5, 0.5)) is None
    )  # not the best depth
    assert longer(trials(0, 320, 0.0, 0.0, degenerate=2)) == Candidate(0, 640)
    assert longer(trials(0, 320, 0.5, 0.0, degenerate=1)) == Candidate(0, 640)
    assert (
        longer(trials(0, 320, None, None)) is None
    )  # a loss that is no number is not cured by more of it


def test_lengths_double_while_the_longer_is_better() -> None:
    first = trials(1, 320, 0.5, 0.5, curve=RISING)
    assert longer(first, trials(1, 640, 0.505, 0.505)) is None
    assert longer(first, trials(1, 640, 0.6, 0.6)) == Candidate(1, 1280)
    assert longer(first, trials(1, 640, 0.6, 0.6), trials(1, 1280, 0.7, 0.7)) == Candidate(1, 2560)


def test_the_longest_is_a_bound() -> None:
    assert longer(trials(1, 2560, 0.5, 0.5, curve=RISING)) == Candidate(1, MAX_PILOT_STEPS)
    assert longer(trials(1, MAX_PILOT_STEPS, 0.5, 0.5, curve=RISING)) is None
    assert longer(trials(1, 2 * MAX_PILOT_STEPS, 0.0, 0.0, degenerate=2)) is None


def test_the_cost_is_bounded_whatever_happens() -> None:
    """The worst case: every longer one is better, from a first round of three depths."""
    tried = [trials(depth, 100, 0.1, 0.1, curve=RISING) for depth in (0, 1, 2)]
    score, lengths = 0.1, [100]
    while (wanted := longer(*tried, runs=2)) is not None:
        score += 0.05
        lengths.append(wanted.max_steps)
        tried.append(trials(wanted.reinit_layers, wanted.max_steps, score, score))
        spent = sum(trial.candidate.max_steps for one in tried for trial in one)
        assert spent <= MAX_COST_SHARE * MIN_COST_RUNS * wanted.max_steps
    assert lengths == [100, 200, 400, 800, 1600, 3200]
    expensive = [trials(depth, 100, 0.1, 0.1, curve=RISING) for depth in range(20)]
    assert longer(*expensive, runs=2) is None
    assert longer(*expensive, runs=25) is not None
    assert all(later == 2 * before for before, later in pairwise(lengths))


def test_the_reasons_carry_the_numbers() -> None:
    tried = summarize_trials(
        [
            *trials(0, 320, 0.4, 0.4),
            *trials(1, 320, 0.5, 0.3, degenerate=1),
            *trials(0, 640, 0.61, 0.63),
        ]
    )
    found = select_best_candidate(tried)
    assert found is not None
    notes = explain_choice(tried, found, "mcc", ("reinit_layers", "max_steps"))
    assert notes["reinit_layers"].startswith(
        "0: pilots of 320 steps from 2 seeds reached a mean validation mcc of 0.400 with 0, 0.400 (1 of 2 learnt nothing) with 1"
    )
    assert notes["max_steps"].startswith(
        "640: pilots from 2 seeds reached a mean validation mcc of 0.400 in 320 steps, 0.620 in 640 steps"
    )
    assert set(explain_choice(tried, found, "mcc", ("max_steps",))) == {"max_steps"}
    assert found.to_summary() == {
        "reinit_layers": 0, "max_steps": 640, "scores": [0.61, 0.63], "degenerate": 0, "failed": 0, "mean": pytest.approx(0.62)
    }  # fmt: skip
