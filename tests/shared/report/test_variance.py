"""The split of the variance over random factors, against arithmetic written out here."""

import random

import pytest

from shared.report.variance import Cell, split_variance


class TestVariance:
    def test_by_hand(self) -> None:
        # rows 1 2 / 5 8: grand 4; init means 1.5, 6.5: SS 2·(2.5² + 2.5²) = 25; data means 3,
        # 5: SS 2·2 = 4 total 9 + 4 + 1 + 16 = 30, residual 1; on one degree each: σ²_init (25 -
        # 1)/2 = 12, σ²_data 1.5, σ² 1
        found = split_variance(
            [Cell(0, 7, None, 1), Cell(0, 8, None, 2), Cell(1, 7, None, 5), Cell(1, 8, None, 8)]
        )
        assert found.components is not None
        parts = {part.factor: part for part in found.components}
        assert [
            parts[name].variance for name in ("init_seed", "data_seed", "residual")
        ] == pytest.approx([12, 1.5, 1])
        assert [part.share for part in found.components] == pytest.approx(
            [12 / 14.5, 1.5 / 14.5, 1 / 14.5]
        )
        assert (parts["init_seed"].levels, parts["residual"].levels) == (2, None)

    def test_finds_what_a_simulation_put_in(self) -> None:
        chance = random.Random(0)
        of_init = [chance.gauss(0, 3) for _ in range(60)]
        of_data = [chance.gauss(0, 1) for _ in range(60)]
        cells = [
            Cell(i, j, None, a + b + chance.gauss(0, 2))
            for i, a in enumerate(of_init)
            for j, b in enumerate(of_data)
        ]
        found = split_variance(cells).components
        assert found is not None
        assert [part.std for part in found] == pytest.approx([3, 1, 2], rel=0.2)

    def test_folds_are_a_factor_beside_the_seeds(self) -> None:
        cells = [Cell(seed, seed, fold, 10 * fold + seed) for seed in range(3) for fold in range(4)]
        found = split_variance(cells).components
        assert found is not None
        # purely additive: mean squares 4·1 and 3·(500/3), nothing left; over 4 and 3 runs a level
        assert {part.factor: part.variance for part in found} == pytest.approx(
            {"seed": 1.0, "fold": 500 / 3, "residual": 0.0}
        )

    def test_a_negative_estimate_counts_as_nothing(self) -> None:
        # means of rows and columns all equal: everything is residual
        found = split_variance(
            [Cell(0, 0, None, 1), Cell(0, 1, None, 2), Cell(1, 0, None, 2), Cell(1, 1, None, 1)]
        )
        assert found.components is not None
        assert [part.share for part in found.components] == [0, 0, 1]

    @pytest.mark.parametrize(
        ("cells", "why"),
        [
            ([], "grid of both"),
            ([Cell(i, i, None, i) for i in range(5)], "change together"),
            ([Cell(0, i, None, i) for i in range(5)], "grid of both"),
            (
                [Cell(0, 0, None, 1), Cell(0, 1, None, 2), Cell(1, 0, None, 3)],
                "3 of 4 combinations",
            ),
            ([Cell(i, j, None, 0.1) for i in range(3) for j in range(3)], "all scores are equal"),
            (
                [Cell(i, j, None, i * 1e-200) for i in range(3) for j in range(3)],
                "all scores are equal",
            ),
        ],
    )
    def test_undefined_has_a_reason(self, cells: list[Cell], why: str) -> None:
        found = split_variance(cells)
        assert found.components is None
        assert why in (found.reason or "")
