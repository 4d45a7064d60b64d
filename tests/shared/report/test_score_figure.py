"""The figure of scores shows every seed and names what is drawn."""

import json
from dataclasses import replace

import pytest

from shared.metrics import METRICS
from shared.report import Baseline, build_stability_report
from shared.report.figures import LIGHT, build_scores_figure
from shared.report.score_range import METRIC_FLOORS
from tests.shared.report.drawn_figures import list_rows, list_texts
from tests.shared.reports import make_report, make_results


class TestScores:
    def test_every_bounded_metric_has_a_floor(self) -> None:
        assert METRIC_FLOORS.keys() == set(METRICS) - {"r2"}

    def test_every_scored_seed_is_one_mark(self) -> None:
        report = make_report(
            [0.8, 0.4, None, 0.7, 0.9], degenerate=[1], status={2: "failed", 4: "running"}
        )
        marks = list_rows(build_scores_figure([("a", report)]), "seed")
        assert {(mark["seed"], mark["score"], mark["kind"]) for mark in marks} == {
            (0, 0.8, "learned"),
            (1, 0.4, "degenerate"),
            (3, 0.7, "learned"),
        }

    def test_degenerate_seeds_differ_in_shape_as_well_as_color(self) -> None:
        spec = json.dumps(
            build_scores_figure([("a", make_report([0.8, 0.4], degenerate=[1]))]).spec
        )
        assert "triangle-down" in spec
        assert LIGHT.bad in spec

    def test_jobs_stand_in_strips_of_their_own(self) -> None:
        marks = list_rows(
            build_scores_figure([("a", make_report([0.5] * 9)), ("b", make_report([0.5] * 9))]),
            "seed",
        )
        assert all(-0.5 < mark["y"] < 0.5 for mark in marks[:9])
        assert all(0.5 < mark["y"] < 1.5 for mark in marks[9:])
        assert len({mark["y"] for mark in marks}) == 18  # equal scores do not cover each other

    def test_title_and_labels_say_what_is_shown_and_how_many(self) -> None:
        drawn = list_texts(
            build_scores_figure(
                [("stabilized", make_report([0.8, 0.7])), ("control", make_report([0.6]))]
            )
        )
        assert "Accuracy of every seed (n = 2 and 1)" in drawn
        assert "accuracy on the 80 validation rows" in drawn
        assert {
            "stabilized",
            "0.750 ± 0.071",
            "control",
            "1 seed",
            "majority baseline 0.400",
        } <= set(drawn)

    def test_an_interval_beyond_the_metric_is_cut(self) -> None:
        # two seeds: t(0.975, 1) = 12.7, so the interval of an accuracy would reach from 0.1 to 1.4
        (mean,) = list_rows(build_scores_figure([("a", make_report([0.7, 0.8]))]), "low")
        assert 0 <= mean["low"] < mean["high"] == 1.0

    @pytest.mark.parametrize("scores", [[], [0.8], [0.4] * 20, [None]])
    def test_few_equal_or_no_scores_render(self, scores: list[float | None]) -> None:
        assert list_texts(build_scores_figure([("a", make_report(scores, majority=None))]))

    def test_no_report_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one report"):
            build_scores_figure([])

    def test_the_best_other_baseline_is_drawn_beside_the_constant_answer(self) -> None:
        results = make_results([0.8, 0.7])
        more = (
            Baseline(name="tfidf_logistic_regression", score=0.6),
            Baseline(name="linear_probe", score=0.65),
        )
        report = build_stability_report(replace(results, baselines=results.baselines + more))
        drawn = list_texts(build_scores_figure([("a", report)]))
        assert {"majority baseline 0.400", "linear probe of the frozen encoder 0.650"} <= set(drawn)
        assert not any("TF-IDF" in text for text in drawn)
