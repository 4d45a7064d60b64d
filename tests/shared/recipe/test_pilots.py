"""The pilots' policy: candidates, when to try longer, which candidate wins, and why."""

from collections.abc import Sequence
from itertools import pairwise

import pytest

from shared.recipe.pilot_decision import explain_choice
from shared.recipe.pilot_trials import (
    MAX_COST_SHARE,
    MAX_PILOT_STEPS,
    MIN_COST_RUNS,
    CandidateResult,
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
from tests.rows import RECIPE

FLAT = ((64, 0.5), (128, 0.5), (192, 0.5), (256, 0.5), (320, 0.5))
RISING = ((64, 0.1), (128, 0.2), (192, 0.3), (256, 0.4), (320, 0.5))
PEAKED = ((64, 0.5), (128, 0.6), (192, 0.5), (256, 0.5), (320, 0.5))


def make_trials(
    layers: LayerSelection,
    steps: int,
    *scores: float | None,
    degenerate: int = 0,
    curve: object = FLAT,
) -> list[Trial]:
    """Return a candidate's trials, the first ``degenerate`` of them; None is a failed trial."""
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
def test_depths_are_zero_the_rule_and_twice_the_rule(
    rule: int, blocks: int, depths: list[int]
) -> None:
    assert list_depth_candidates(rule, blocks) == depths
    assert build_first_round(depths, 320) == [Candidate(depth, 320) for depth in depths]


def test_a_candidate_has_the_searched_settings_of_a_recipe() -> None:
    recipe = RECIPE.model_copy(update={"reinit_layers": [0, 2], "max_steps": 40})
    assert Candidate.from_recipe(recipe) == Candidate((0, 2), 40)
    settings = Candidate.from_recipe(recipe).to_settings()
    assert settings.model_dump() == {"reinit_layers": [0, 2], "max_steps": 40}
    assert (Candidate.from_recipe(recipe).depth, Candidate(3, 40).depth) == (2, 3)


def flatten(tried: Sequence[list[Trial]]) -> list[CandidateResult]:
    return summarize_trials([trial for trials in tried for trial in trials])


def select(*tried: list[Trial]) -> Candidate | None:
    best = select_best_candidate(flatten(tried))
    return None if best is None else best.candidate


def test_the_highest_mean_wins() -> None:
    assert select(
        make_trials(0, 320, 0.5, 0.5),
        make_trials(1, 320, 0.5, 0.6),
        make_trials(2, 320, 0.52, 0.52),
    ) == Candidate(1, 320)


def test_within_the_margin_the_shallower_and_the_shorter_win() -> None:
    assert select(
        make_trials(2, 320, 0.508, 0.508),
        make_trials(1, 320, 0.502, 0.502),
        make_trials(0, 320, 0.49, 0.49),
    ) == Candidate(1, 320)
    assert select(make_trials(1, 640, 0.509, 0.509), make_trials(1, 320, 0.5, 0.5)) == Candidate(
        1, 320
    )


def test_a_candidate_that_learns_from_every_seed_beats_one_that_does_not() -> None:
    assert select(
        make_trials(0, 320, 0.0, 0.8, degenerate=1), make_trials(1, 320, 0.2, 0.3)
    ) == Candidate(1, 320)
    assert select(make_trials(0, 320, None, 0.8), make_trials(1, 320, 0.2, 0.3)) == Candidate(
        1, 320
    )


def test_the_shallowest_wins_if_none_learned_and_none_wins_if_all_failed() -> None:
    assert select(
        make_trials(0, 320, 0.0, 0.0, degenerate=2), make_trials(1, 320, 0.0, 0.0, degenerate=2)
    ) == Candidate(0, 320)
    assert select(make_trials(0, 320, None, None), make_trials(1, 320, None, None)) is None


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


def propose(*tried: list[Trial], runs: int = 5) -> Candidate | None:
    return propose_longer_candidate(flatten(tried), main_runs=runs)


def test_twice_the_length_is_tried_if_the_best_depth_improves_or_learns_nothing() -> None:
    worse = make_trials(0, 320, 0.1, 0.1)
    assert propose(worse, make_trials(1, 320, 0.5, 0.5)) is None
    assert propose(worse, make_trials(1, 320, 0.5, 0.5, curve=RISING)) == Candidate(1, 640)
    assert (
        propose(make_trials(0, 320, 0.1, 0.1, curve=RISING), make_trials(1, 320, 0.5, 0.5)) is None
    )  # not the best depth
    assert propose(make_trials(0, 320, 0.0, 0.0, degenerate=2)) == Candidate(0, 640)
    assert propose(make_trials(0, 320, 0.5, 0.0, degenerate=1)) == Candidate(0, 640)
    assert propose(make_trials(0, 320, None, None)) is None  # more steps do not cure a NaN loss


def test_the_length_doubles_while_the_longer_is_better() -> None:
    first = make_trials(1, 320, 0.5, 0.5, curve=RISING)
    assert propose(first, make_trials(1, 640, 0.505, 0.505)) is None
    assert propose(first, make_trials(1, 640, 0.6, 0.6)) == Candidate(1, 1280)
    assert propose(
        first, make_trials(1, 640, 0.6, 0.6), make_trials(1, 1280, 0.7, 0.7)
    ) == Candidate(1, 2560)


def test_the_length_is_bounded() -> None:
    assert propose(make_trials(1, 2560, 0.5, 0.5, curve=RISING)) == Candidate(1, MAX_PILOT_STEPS)
    assert propose(make_trials(1, MAX_PILOT_STEPS, 0.5, 0.5, curve=RISING)) is None
    assert propose(make_trials(1, 2 * MAX_PILOT_STEPS, 0.0, 0.0, degenerate=2)) is None


def test_the_cost_is_bounded_in_the_worst_case() -> None:
    """Every longer candidate is better, after a first round of three depths."""
    tried = [make_trials(depth, 100, 0.1, 0.1, curve=RISING) for depth in (0, 1, 2)]
    score, lengths = 0.1, [100]
    while (candidate := propose(*tried, runs=2)) is not None:
        score += 0.05
        lengths.append(candidate.max_steps)
        tried.append(make_trials(candidate.reinit_layers, candidate.max_steps, score, score))
        spent = sum(trial.candidate.max_steps for trials in tried for trial in trials)
        assert spent <= MAX_COST_SHARE * MIN_COST_RUNS * candidate.max_steps
    assert lengths == [100, 200, 400, 800, 1600, 3200]
    expensive = [make_trials(depth, 100, 0.1, 0.1, curve=RISING) for depth in range(20)]
    assert propose(*expensive, runs=2) is None
    assert propose(*expensive, runs=25) is not None
    assert all(later == 2 * before for before, later in pairwise(lengths))


def test_the_explanation_has_the_numbers() -> None:
    results = summarize_trials(
        [
            *make_trials(0, 320, 0.4, 0.4),
            *make_trials(1, 320, 0.5, 0.3, degenerate=1),
            *make_trials(0, 640, 0.61, 0.63),
        ]
    )
    best = select_best_candidate(results)
    assert best is not None
    notes = explain_choice(results, best, "mcc", ("reinit_layers", "max_steps"))
    assert notes["reinit_layers"].startswith(
        "0: pilots of 320 steps from 2 seeds reached a mean validation mcc of 0.400 with 0, "
        "0.400 (1 of 2 learned nothing) with 1"
    )
    assert notes["max_steps"].startswith(
        "640: pilots from 2 seeds reached a mean validation mcc of 0.400 in 320 steps, "
        "0.620 in 640 steps"
    )
    assert set(explain_choice(results, best, "mcc", ("max_steps",))) == {"max_steps"}
    assert best.to_summary().model_dump() == {
        "reinit_layers": 0,
        "max_steps": 640,
        "scores": [0.61, 0.63],
        "degenerate": 0,
        "failed": 0,
        "mean": pytest.approx(0.62),
    }
