"""The report's further statistics, against arithmetic written out here."""

import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.early_discard import DiscardSettings
from shared.report import StabilityReport, build_stability_report
from shared.report.best_of_n import compute_best_of_n
from shared.report.classes import score_classes_from_confusion, summarize_classes
from shared.report.variance import Cell, split_variance
from tests.shared.reports import make_discard, make_results

finite = st.floats(min_value=-1, max_value=1)


def detailed(
    scores: Sequence[float | None],
    curves: Sequence[Sequence[tuple[int, float]]] = (),
    **more: object,
) -> StabilityReport:
    results = make_results(scores, **more)  # type: ignore[arg-type]
    runs = [
        replace(run, curve=curve)
        for run, curve in zip(results.runs, curves or [()] * len(scores), strict=True)
    ]
    return build_stability_report(replace(results, runs=tuple(runs), detailed=True))


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
        def told(drawn: Sequence[tuple[float | None, float]]) -> float:
            best = max(-2.0 if validation is None else validation for validation, _ in drawn)
            return statistics.fmean(
                score for v, score in drawn if (-2.0 if v is None else v) == best
            )

        found = compute_best_of_n(draws)
        assert found is not None
        for point in found.curve:
            every = product(draws, repeat=point.n)
            # runs equal in validation share their chance: drawn together, each is taken as often
            assert point.expected == pytest.approx(statistics.fmean(map(told, every)), abs=1e-9)

    def test_chosen_by_validation_and_told_on_test(self) -> None:
        found = compute_best_of_n([(0.9, 0.70), (0.8, 0.75)])
        assert found is not None
        assert [point.expected for point in found.curve] == pytest.approx(
            [0.725, 0.75 * 0.70 + 0.25 * 0.75]
        )

    def test_in_the_report_it_is_of_the_scored_runs(self) -> None:
        report = detailed([0.8, None, 0.6, 0.7], status={3: "failed"})
        assert report.best_of_n is not None
        assert [point.expected for point in report.best_of_n.curve] == pytest.approx([0.7, 0.75])
        assert detailed([]).best_of_n is None


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


class TestLearningCurve:
    def test_quartiles_at_every_step(self) -> None:
        curves = [[(1, 0.1), (2, 0.5)], [(1, 0.2), (2, 0.6)], [(1, 0.4), (2, 0.7)], [(1, 0.8)], []]
        curve = detailed(
            [0.5, 0.6, 0.7, 0.8, None], curves, status={3: "discarded", 4: "queued"}
        ).learning_curve
        assert curve is not None
        first, second = curve.points
        assert (first.step, first.n, first.min, first.max) == (1, 4, 0.1, 0.8)
        assert (first.q1, first.median, first.q3) == pytest.approx((0.175, 0.3, 0.5))
        assert (second.step, second.n, second.median) == (2, 3, 0.6)

    def test_none_before_the_first_evaluation(self) -> None:
        assert detailed([None, None], status={0: "queued", 1: "running"}).learning_curve is None


class TestEarlyDiscard:
    CURVES: ClassVar[list[list[tuple[int, float]]]] = [
        [(10, 0.6), (20, 0.5), (30, 0.9)],
        [(10, 0.4), (20, 0.7), (30, 0.8)],
        [(10, 0.2), (20, 0.3)],
        [(10, 0.1), (20, 0.1)],
    ]

    def test_what_the_choice_does_to_the_mean(self) -> None:
        # at step 20: 0.5 0.7 of the kept, 0.3 0.1 of the others
        report = detailed(
            [0.9, 0.8, None, None],
            self.CURVES,
            status={2: "discarded", 3: "discarded"},
            early_discard=make_discard(start=4, at_step=20),
        )
        effect = report.early_discard
        assert effect is not None
        assert (effect.started, effect.kept, effect.discarded, effect.step) == (4, 2, 2, 20)
        assert (effect.mean_started, effect.mean_kept, effect.difference) == pytest.approx(
            (0.4, 0.6, 0.2)
        )
        message = next(
            warning.message for warning in report.warnings if warning.code == "discarded_runs"
        )
        assert "the 2 kept had a mean validation accuracy of 0.600, all 4 of 0.400" in message
        assert "2 runs were discarded part-way" in report.verdict.text

    def test_seeds_added_later_are_no_part_of_it(self) -> None:
        report = detailed(
            [0.9, None, 0.9],
            [*self.CURVES[:1], self.CURVES[2], [(20, 0.99)]],
            status={1: "discarded"},
            early_discard=make_discard(start=2, at_step=20),
        )
        assert report.early_discard is not None
        assert report.early_discard.mean_kept == pytest.approx(0.5)

    def test_none_before_the_choice(self) -> None:
        waiting = detailed(
            [None, None],
            status={0: "paused", 1: "paused"},
            early_discard=make_discard(start=2, at_step=20),
        )
        assert waiting.early_discard is None
        undecided = detailed(
            [None, None],
            status={0: "paused", 1: "queued"},
            early_discard=DiscardSettings(start=2, keep=1, at_fraction=0.5),
        )
        assert undecided.early_discard is None


class TestLabels:
    def test_from_a_confusion_matrix(self) -> None:
        # "no": 30 hits of 40 rows, 35 answers: recall 0.75, precision 30/35, F1 60/75
        no, yes = score_classes_from_confusion(["no", "yes"], [[30, 10], [5, 35]])
        assert (no.support, no.recall) == (40, 0.75)
        assert (no.precision, no.f1) == pytest.approx((30 / 35, 60 / 75))
        assert yes.precision == pytest.approx(35 / 45)

    def test_scikit_learn_agrees(self) -> None:
        from sklearn.metrics import precision_recall_fscore_support

        matrix = [[3, 1, 2], [0, 5, 1], [2, 2, 4]]
        rows = [
            (true, said)
            for true in range(3)
            for said in range(3)
            for _ in range(matrix[true][said])
        ]
        expected = precision_recall_fscore_support(
            [true for true, _ in rows], [said for _, said in rows]
        )
        found = score_classes_from_confusion(["a", "b", "c"], matrix)
        for name, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
            assert [getattr(row, name) for row in found] == pytest.approx(list(values))

    def test_mean_and_spread_over_seeds_skip_what_is_undefined(self) -> None:
        first = score_classes_from_confusion(
            ["no", "yes"], [[4, 0], [4, 0]]
        )  # "yes" is never answered: no precision
        second = score_classes_from_confusion(["no", "yes"], [[3, 1], [1, 3]])
        found = summarize_classes([first, second])
        assert found is not None
        assert (found[1].precision.mean, found[1].precision.std, found[1].precision.n) == (
            0.75,
            None,
            1,
        )
        assert (found[1].recall.mean, found[1].recall.n) == (0.375, 2)
        assert found[1].recall.std == pytest.approx(0.75 / 2**0.5)
        assert summarize_classes([]) is None

    def test_a_label_without_rows(self) -> None:
        (absent, _) = score_classes_from_confusion(["never", "always"], [[0, 0], [0, 3]])
        assert (absent.precision, absent.recall, absent.f1) == (None, None, None)


class TestForecast:
    def test_student_t_at_the_same_spread(self) -> None:
        # std 0.1118034; t(0.975, 9) = 2.262157 (table 2.262): 2.262157 · 0.1118034/√10 = 0.0799795
        widths = detailed([0.75, 0.60, 0.90, 0.70, 0.80]).more_seeds
        assert widths is not None
        assert [width.n for width in widths] == [10, 20, 50]
        assert widths[0].half_width == pytest.approx(0.0799795, abs=1e-6)

    @pytest.mark.parametrize("scores", [[], [0.8], [0.8, 0.8]])
    def test_no_spread_no_forecast(self, scores: list[float | None]) -> None:
        assert detailed(scores).more_seeds is None


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(),
            st.sampled_from(["running", "succeeded", "failed", "discarded"]),
            st.lists(finite, max_size=3),
        ),
        max_size=8,
    )
)
def test_never_nan(drawn: list[tuple[float | None, str, list[float]]]) -> None:
    report = detailed(
        [score for score, _, _ in drawn],
        [list(enumerate(curve, start=1)) for _, _, curve in drawn],
        status={index: status for index, (_, status, _) in enumerate(drawn)},
        early_discard=make_discard(start=len(drawn), at_step=2),
    )
    json.loads(report.model_dump_json(), parse_constant=pytest.fail)
