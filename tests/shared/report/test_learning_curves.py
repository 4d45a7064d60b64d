"""Learning curves over the seeds, and the effect of an early discard."""

from typing import ClassVar

import pytest

from shared.domain.early_discard import DiscardSettings
from tests.shared.reports import make_detailed_report, make_discard


class TestLearningCurve:
    def test_quartiles_at_every_step(self) -> None:
        curves = [[(1, 0.1), (2, 0.5)], [(1, 0.2), (2, 0.6)], [(1, 0.4), (2, 0.7)], [(1, 0.8)], []]
        curve = make_detailed_report(
            [0.5, 0.6, 0.7, 0.8, None], curves, status={3: "discarded", 4: "queued"}
        ).learning_curve
        assert curve is not None
        first, second = curve.points
        assert (first.step, first.n, first.min, first.max) == (1, 4, 0.1, 0.8)
        assert (first.q1, first.median, first.q3) == pytest.approx((0.175, 0.3, 0.5))
        assert (second.step, second.n, second.median) == (2, 3, 0.6)

    def test_none_before_the_first_evaluation(self) -> None:
        assert (
            make_detailed_report([None, None], status={0: "queued", 1: "running"}).learning_curve
            is None
        )


class TestEarlyDiscard:
    CURVES: ClassVar[list[list[tuple[int, float]]]] = [
        [(10, 0.6), (20, 0.5), (30, 0.9)],
        [(10, 0.4), (20, 0.7), (30, 0.8)],
        [(10, 0.2), (20, 0.3)],
        [(10, 0.1), (20, 0.1)],
    ]

    def test_what_the_choice_does_to_the_mean(self) -> None:
        # at step 20: 0.5 0.7 of the kept, 0.3 0.1 of the others
        report = make_detailed_report(
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
        assert "accuracy was 0.600 for the 2 kept runs and 0.400 for all 4" in message
        assert "2 runs were discarded early" in report.verdict.text

    def test_seeds_added_later_are_no_part_of_it(self) -> None:
        report = make_detailed_report(
            [0.9, None, 0.9],
            [*self.CURVES[:1], self.CURVES[2], [(20, 0.99)]],
            status={1: "discarded"},
            early_discard=make_discard(start=2, at_step=20),
        )
        assert report.early_discard is not None
        assert report.early_discard.mean_kept == pytest.approx(0.5)

    def test_none_before_the_choice(self) -> None:
        waiting = make_detailed_report(
            [None, None],
            status={0: "paused", 1: "paused"},
            early_discard=make_discard(start=2, at_step=20),
        )
        assert waiting.early_discard is None
        undecided = make_detailed_report(
            [None, None],
            status={0: "paused", 1: "queued"},
            early_discard=DiscardSettings(start=2, keep=1, at_fraction=0.5),
        )
        assert undecided.early_discard is None
