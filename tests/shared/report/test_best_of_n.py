"""The expected score of the best of n seeds, against arithmetic written out here."""

import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.report.best_of_n import compute_best_of_n
from shared.report.figures.best_of_n import _build_count_axis
from tests.shared.reports import make_detailed_report

finite = st.floats(min_value=-1, max_value=1)


class TestBestOfN:
    def test_by_hand(self) -> None:
        # of 1, 2, 4: two draws have a largest of 1 with probability 1/9, 2 with 3/9, 4 with
        # 5/9: 27/9 = 3 three: 1/27, 7/27, 19/27: 91/27
        found = compute_best_of_n([(score, score) for score in (2.0, 4.0, 1.0)])
        assert found is not None
        assert [point.n for point in found.curve] == [1, 2, 3]
        assert [point.expected for point in found.curve] == pytest.approx([7 / 3, 3.0, 91 / 27])

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.tuples(st.none() | finite, finite), min_size=1, max_size=4))
    def test_is_the_mean_over_all_draws(self, draws: list[tuple[float | None, float]]) -> None:
        def score_chosen(drawn: Sequence[tuple[float | None, float]]) -> float:
            best = max(-2.0 if validation is None else validation for validation, _ in drawn)
            return statistics.fmean(
                score for v, score in drawn if (-2.0 if v is None else v) == best
            )

        found = compute_best_of_n(draws)
        assert found is not None
        for point in found.curve:
            every = product(draws, repeat=point.n)
            # runs equal in validation share their chance: drawn together, each is taken as often
            assert point.expected == pytest.approx(
                statistics.fmean(map(score_chosen, every)), abs=1e-9
            )

    def test_chosen_by_validation_and_scored_on_test(self) -> None:
        found = compute_best_of_n([(0.9, 0.70), (0.8, 0.75)])
        assert found is not None
        assert [point.expected for point in found.curve] == pytest.approx(
            [0.725, 0.75 * 0.70 + 0.25 * 0.75]
        )

    def test_in_the_report_it_is_of_the_scored_runs(self) -> None:
        report = make_detailed_report([0.8, None, 0.6, 0.7], status={3: "failed"})
        assert report.best_of_n is not None
        assert [point.expected for point in report.best_of_n.curve] == pytest.approx([0.7, 0.75])
        assert make_detailed_report([]).best_of_n is None


@pytest.mark.parametrize("seeds", [2, 3, 5, 11, 40])
def test_the_axis_of_seeds_has_whole_numbers_once(seeds: int) -> None:
    axis: Any = _build_count_axis(seeds, "seed").to_dict()
    ticks: list[int] = axis["axis"]["values"]
    assert ticks == sorted(set(ticks))
    assert ticks[0] == 1
    assert len(ticks) <= 10
    assert ticks[-1] <= seeds
