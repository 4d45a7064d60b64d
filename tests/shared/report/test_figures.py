"""Figures show every seed, render without a network, and take hostile names as text."""

import json
import re
from dataclasses import replace

import pytest

from shared.report import ConfusionMatrix, StabilityReport, build_stability_report
from shared.report.figures import (
    CSS_VARIABLES,
    DARK,
    LIGHT,
    Palette,
    SeedCurve,
    build_best_of_n_figure,
    build_confusion_figure,
    build_fan_figure,
    build_loss_curves_figure,
    build_scores_figure,
    build_step_size_figure,
)
from shared.report.figures.step_size import compute_step_excess
from tests.shared.report.drawn_figures import get_png_width, list_rows, list_texts
from tests.shared.reports import make_report, make_results

HOSTILE = "</text><script>alert('x')</script> \"'\\ ${datum} &amp;"
NUMBER = re.compile(r"\d+(\.\d+)?")
CONFUSION = ConfusionMatrix(labels=["no", "yes"], matrix=[[30, 10], [5, 35]], run_id="ftrun-0")


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
        assert [(row["step"], row["n"], row["median"]) for row in list_rows(figure, "median")] == [
            (5, 3, 0.5),
            (10, 2, pytest.approx(0.85)),
        ]
        assert {"a", "n = 3, 2 at the end"} <= set(list_texts(figure))

    def test_best_of_n_has_a_line_a_job(self) -> None:
        figure = build_best_of_n_figure(
            [("one", self.report([], [])), ("other", self.report([], [], []))]
        )
        rows = list_rows(figure, "expected")
        assert [(row["job"], row["n"]) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]
        assert rows[1]["expected"] == pytest.approx(0.75 * 0.7 + 0.25 * 0.6)
        assert {"one", "other"} <= set(list_texts(figure))

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_equal_values_are_drawn_at_their_own_height(self, value: float) -> None:
        results = make_results([value] * 3)
        runs = tuple(replace(run, curve=[(1, value), (2, value)]) for run in results.runs)
        report = build_stability_report(replace(results, runs=runs, detailed=True))
        points = [(1, value), (2, value)]
        curves = [SeedCurve("a", seed, False, points, points, 1) for seed in range(3)]
        for figure in (
            build_fan_figure([("a", report)]),
            build_best_of_n_figure([("a", report)]),
            build_loss_curves_figure(curves, "accuracy"),
        ):
            numbers = [text for text in list_texts(figure) if NUMBER.fullmatch(text)]
            heights = {float(text) for text in numbers if "." in text}
            assert any(abs(height - value) < 0.05 for height in heights), numbers
            assert max(heights) <= 1.05
        steps = list_texts(build_fan_figure([("a", report)]))
        assert [steps.count(text) for text in ("1", "1.5", "2")] == [1, 0, 1]

    def test_without_data_there_is_no_figure(self) -> None:
        bare = [("a", make_report([0.8]))]
        for figure in (build_fan_figure, build_best_of_n_figure):
            with pytest.raises(ValueError, match="report with a"):
                figure(bare)


class TestOthers:
    def test_curves_have_a_line_a_seed_and_leave_gaps(self) -> None:
        gap = SeedCurve("b", 7, True, [(1, 0.7), (2, None), (3, float("nan"))], [(1, 0.5)], None)
        figure = build_loss_curves_figure([curve(0), curve(1), gap], "mcc")
        values = list_rows(figure, "chosen")
        assert {(value["job"], value["seed"]) for value in values} == {(0, 0), (0, 1), (1, 7)}
        assert [value["value"] for value in values if value["seed"] == 7] == [0.7, None, None, 0.5]
        assert "Validation loss and mcc during training (n = 2 and 1)" in list_texts(figure)

    def test_confusion_shows_counts_and_shares_of_the_true_label(self) -> None:
        figure = build_confusion_figure(CONFUSION, "best of 5")
        assert [row["share"] for row in list_rows(figure, "share")] == [0.75, 0.25, 0.125, 0.875]
        assert {
            "30",
            "10",
            "5",
            "35",
            "no",
            "yes",
            "Confusion matrix of the best run (n = 80 rows)",
        } <= set(list_texts(figure))

    def test_confusion_of_a_label_without_rows(self) -> None:
        empty = ConfusionMatrix(labels=["no", "yes"], matrix=[[0, 0], [1, 2]], run_id="r")
        assert [row["share"] for row in list_rows(build_confusion_figure(empty, ""), "share")][
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
        rows = list_rows(build_step_size_figure(234), "step")
        assert rows[-1] == {"step": 234, "excess": compute_step_excess(234)}
        assert any("6.6 times" in text for text in list_texts(build_step_size_figure(234)))


class TestRendering:
    def test_hostile_names_are_text(self) -> None:
        labels = ConfusionMatrix(labels=[HOSTILE[:20], "b"], matrix=[[1, 2], [3, 4]], run_id="r")
        for figure in (
            build_scores_figure([(HOSTILE, make_report([0.8, 0.7]))]),
            build_loss_curves_figure([curve(0, job=HOSTILE)], HOSTILE),
            build_confusion_figure(labels, HOSTILE),
        ):
            assert any("<script>" in text for text in list_texts(figure))
            assert "<script" not in figure.to_svg()

    @pytest.mark.parametrize("palette", [LIGHT, DARK])
    def test_png_is_drawn_at_scale(self, palette: Palette) -> None:
        figure = build_scores_figure([("a", make_report([0.8, 0.7]))], palette)
        once, twice = figure.to_png(1.0), figure.to_png(2.0)
        assert once.startswith(b"\x89PNG\r\n")
        assert get_png_width(twice) == pytest.approx(2 * get_png_width(once), abs=2)

    def test_colors_of_the_page_stay_variables(self) -> None:
        svg = build_scores_figure(
            [("a", make_report([0.8, 0.4], degenerate=[1]))], CSS_VARIABLES
        ).to_svg()
        assert "var(--good)" in svg
        assert "var(--bad)" in svg
        assert LIGHT.good not in svg

    def test_nothing_is_fetched(self) -> None:
        assert '"url"' not in json.dumps(build_scores_figure([("a", make_report([0.8]))]).spec)
