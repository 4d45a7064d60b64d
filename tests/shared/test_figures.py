"""Figures show every seed, render without a network, and take hostile names as text."""

import json
import struct
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from shared.metrics import METRICS
from shared.report import Baseline, ConfusionMatrix, StabilityReport, build_stability_report
from shared.report.figures import (
    CSS_VARIABLES,
    DARK,
    LIGHT,
    Figure,
    Palette,
    SeedCurve,
    build_best_of_n_figure,
    build_confusion_figure,
    build_fan_figure,
    build_loss_curves_figure,
    build_scores_figure,
    build_step_size_figure,
)
from shared.report.figures.scores import METRIC_FLOORS
from shared.report.figures.step_size import compute_step_excess
from tests.shared.reports import make_report, make_results

HOSTILE = "</text><script>alert('x')</script> \"'\\ ${datum} &amp;"
CONFUSION = ConfusionMatrix(labels=["no", "yes"], matrix=[[30, 10], [5, 35]], run_id="ftrun-0")


def texts(figure: Figure) -> list[str]:
    """All text of the rendered SVG; raises when it is no well-formed XML."""
    root = ElementTree.fromstring(figure.to_svg())
    assert not root.findall(".//{*}script")
    return [text for element in root.iter() for text in [element.text] if text and text.strip()]


def rows_of(figure: Figure, field: str) -> list[dict[str, Any]]:
    """The rows of the specification's data that have the field."""
    return [row for rows in figure.spec["datasets"].values() for row in rows if field in row]


def curve(seed: int, job: str = "stabilized", *, degenerate: bool = False) -> SeedCurve:
    points = [(step, 1.4 / step) for step in (1, 2, 3)]
    return SeedCurve(
        job,
        seed,
        degenerate,
        points,
        [(step, 1 - value / 2) for step, value in points],
        best_step=3,
    )


class TestScores:
    def test_every_scored_seed_is_one_mark(self) -> None:
        report = make_report(
            [0.8, 0.4, None, 0.7, 0.9], degenerate=[1], status={2: "failed", 4: "running"}
        )
        marks = rows_of(build_scores_figure([("a", report)]), "seed")
        assert {(mark["seed"], mark["score"], mark["kind"]) for mark in marks} == {
            (0, 0.8, "learned"),
            (1, 0.4, "degenerate"),
            (3, 0.7, "learned"),
        }

    def test_degenerate_seeds_differ_in_shape_as_well_as_colour(self) -> None:
        spec = json.dumps(
            build_scores_figure([("a", make_report([0.8, 0.4], degenerate=[1]))]).spec
        )
        assert "triangle-down" in spec
        assert LIGHT.bad in spec

    def test_jobs_stand_in_strips_of_their_own(self) -> None:
        marks = rows_of(
            build_scores_figure([("a", make_report([0.5] * 9)), ("b", make_report([0.5] * 9))]),
            "seed",
        )
        assert all(-0.5 < mark["y"] < 0.5 for mark in marks[:9])
        assert all(0.5 < mark["y"] < 1.5 for mark in marks[9:])
        assert len({mark["y"] for mark in marks}) == 18  # equal scores do not cover each other

    def test_title_and_labels_say_what_is_shown_and_how_many(self) -> None:
        drawn = texts(
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
        (mean,) = rows_of(build_scores_figure([("a", make_report([0.7, 0.8]))]), "low")
        assert 0 <= mean["low"] < mean["high"] == 1.0

    def test_every_bounded_metric_has_a_floor(self) -> None:
        assert METRIC_FLOORS.keys() == set(METRICS) - {"r2"}

    @pytest.mark.parametrize("scores", [[], [0.8], [0.4] * 20, [None]])
    def test_few_equal_or_no_scores_render(self, scores: list[float | None]) -> None:
        assert texts(build_scores_figure([("a", make_report(scores, majority=None))]))

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
        drawn = texts(build_scores_figure([("a", report)]))
        assert {"majority baseline 0.400", "linear probe of the frozen encoder 0.650"} <= set(drawn)
        assert not any("TF-IDF" in text for text in drawn)


class TestOfManySeeds:
    def report(self, *curves: list[tuple[int, float]]) -> StabilityReport:
        results = make_results([0.6 + 0.1 * index for index in range(len(curves))])
        runs = tuple(
            replace(run, curve=curve) for run, curve in zip(results.runs, curves, strict=True)
        )
        return build_stability_report(replace(results, runs=runs, detailed=True))

    def test_the_fan_has_every_evaluation_and_says_of_how_many_runs(self) -> None:
        report = self.report([(5, 0.5), (10, 0.8)], [(5, 0.6), (10, 0.9)], [(5, 0.4)])
        figure = build_fan_figure([("a", report)])
        assert [(row["step"], row["n"], row["median"]) for row in rows_of(figure, "median")] == [
            (5, 3, 0.5),
            (10, 2, pytest.approx(0.85)),
        ]
        assert "a (n = 3, 2 at the end)" in texts(figure)

    def test_best_of_n_has_a_line_a_job(self) -> None:
        figure = build_best_of_n_figure(
            [("one", self.report([], [])), ("other", self.report([], [], []))]
        )
        rows = rows_of(figure, "expected")
        assert [(row["job"], row["n"]) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
        assert rows[1]["expected"] == pytest.approx(0.75 * 0.7 + 0.25 * 0.6)
        assert {"one", "other"} <= set(texts(figure))

    def test_without_data_there_is_no_figure(self) -> None:
        bare = [("a", make_report([0.8]))]
        for figure in (build_fan_figure, build_best_of_n_figure):
            with pytest.raises(ValueError, match="report with a"):
                figure(bare)


class TestOthers:
    def test_curves_have_a_line_a_seed_and_leave_gaps(self) -> None:
        gap = SeedCurve("b", 7, True, [(1, 0.7), (2, None), (3, float("nan"))], [(1, 0.5)], None)
        figure = build_loss_curves_figure([curve(0), curve(1), gap], "mcc")
        values = rows_of(figure, "chosen")
        assert {(value["job"], value["seed"]) for value in values} == {(0, 0), (0, 1), (1, 7)}
        assert [value["value"] for value in values if value["seed"] == 7] == [0.7, None, None, 0.5]
        assert "Validation loss and mcc during training (n = 2 and 1)" in texts(figure)

    def test_confusion_shows_counts_and_shares_of_the_true_label(self) -> None:
        figure = build_confusion_figure(CONFUSION, "best of 5")
        assert [row["share"] for row in rows_of(figure, "share")] == [0.75, 0.25, 0.125, 0.875]
        assert {
            "30",
            "10",
            "5",
            "35",
            "no",
            "yes",
            "Confusion matrix of the best run (n = 80 rows)",
        } <= set(texts(figure))

    def test_confusion_of_a_label_without_rows(self) -> None:
        empty = ConfusionMatrix(labels=["no", "yes"], matrix=[[0, 0], [1, 2]], run_id="r")
        assert [row["share"] for row in rows_of(build_confusion_figure(empty, ""), "share")][
            :2
        ] == [
            0.0,
            0.0,
        ]

    def test_too_many_labels_are_refused(self) -> None:
        labels = [str(label) for label in range(21)]
        with pytest.raises(ValueError, match="not 21"):
            build_confusion_figure(
                ConfusionMatrix(labels=labels, matrix=[[0] * 21] * 21, run_id="r"), ""
            )

    @pytest.mark.parametrize(
        ("step", "ratio"),
        [(1, 3.1623), (10, 6.5279), (12, 6.5685), (234, 2.1888), (1000, 1.2576), (3000, 1.0258)],
    )
    def test_step_size_ratio_is_the_published_curve(self, step: int, ratio: float) -> None:
        assert compute_step_excess(step) == pytest.approx(ratio, abs=5e-5)

    def test_step_size_figure_ends_at_the_last_step(self) -> None:
        rows = rows_of(build_step_size_figure(234), "step")
        assert rows[-1] == {"step": 234, "excess": compute_step_excess(234)}
        assert any("6.6 times" in text for text in texts(build_step_size_figure(234)))


class TestRendering:
    def test_hostile_names_are_text(self) -> None:
        labels = ConfusionMatrix(labels=[HOSTILE[:20], "b"], matrix=[[1, 2], [3, 4]], run_id="r")
        for figure in (
            build_scores_figure([(HOSTILE, make_report([0.8, 0.7]))]),
            build_loss_curves_figure([curve(0, job=HOSTILE)], HOSTILE),
            build_confusion_figure(labels, HOSTILE),
        ):
            assert any("<script>" in text for text in texts(figure))
            assert "<script" not in figure.to_svg()

    @pytest.mark.parametrize("palette", [LIGHT, DARK])
    def test_png_is_drawn_at_scale(self, palette: Palette) -> None:
        figure = build_scores_figure([("a", make_report([0.8, 0.7]))], palette)
        once, twice = figure.to_png(1.0), figure.to_png(2.0)
        assert once.startswith(b"\x89PNG\r\n")
        assert width(twice) == pytest.approx(2 * width(once), abs=2)

    def test_colours_of_the_page_stay_variables(self) -> None:
        svg = build_scores_figure(
            [("a", make_report([0.8, 0.4], degenerate=[1]))], CSS_VARIABLES
        ).to_svg()
        assert "var(--good)" in svg
        assert "var(--bad)" in svg
        assert LIGHT.good not in svg

    def test_nothing_is_fetched(self) -> None:
        assert '"url"' not in json.dumps(build_scores_figure([("a", make_report([0.8]))]).spec)


def width(png: bytes) -> int:
    return int(struct.unpack(">I", png[16:20])[0])
