"""The early discard: the step of the decision, which runs are kept, and the effect on the mean."""

import pytest

from shared.domain.early_discard import (
    DiscardSettings,
    WaitingRun,
    compute_decision_step,
    decide_discard,
    select_kept_runs,
)


@pytest.mark.parametrize(
    ("fraction", "steps", "expected"),
    [(0.25, 320, 80), (0.3, 10, 3), (0.31, 10, 4), (0.05, 2, 1), (0.9, 5, 4), (0.5, 1, 1)],
)
def test_the_step_is_rounded_up_and_before_the_last(
    fraction: float, steps: int, expected: int
) -> None:
    assert compute_decision_step(fraction, steps) == expected


def make_waiting(*scores: float | None, degenerate: tuple[int, ...] = ()) -> list[WaitingRun]:
    return [WaitingRun(index, score, index in degenerate) for index, score in enumerate(scores)]


def test_the_best_runs_are_kept_and_ties_go_to_the_lower_index() -> None:
    assert select_kept_runs(make_waiting(0.1, 0.7, 0.5, 0.7), 2) == [1, 3]
    assert select_kept_runs(make_waiting(0.5, 0.5, 0.5), 2) == [0, 1]
    assert select_kept_runs(make_waiting(0.5), 2) == [0]


def test_degenerate_and_undefined_scores_rank_last() -> None:
    runs = make_waiting(0.6, None, 0.5, 0.9, degenerate=(3,))
    assert select_kept_runs(runs, 2) == [0, 2]
    assert select_kept_runs(runs, 3) == [0, 2, 3]


def test_the_outcome_has_the_mean_of_all_and_of_kept_runs() -> None:
    settings = DiscardSettings(start=4, keep=2, at_fraction=0.5)
    decided = decide_discard(settings, make_waiting(0.2, 0.4, None, 0.6), 5)
    assert decided.model_dump() == {
        "start": 4,
        "keep": 2,
        "at_fraction": 0.5,
        "at_step": 5,
        "kept": [1, 3],
        "mean_at_rung_all": pytest.approx(0.4),
        "mean_at_rung_kept": pytest.approx(0.5),
    }
    empty = decide_discard(settings, [], None)
    assert (empty.kept, empty.mean_at_rung_all, empty.mean_at_rung_kept) == ([], None, None)
