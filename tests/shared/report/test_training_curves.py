"""Curves of the training: the band over the seeds, and the figure of each measure."""

import pytest

from shared.report.figures.step_size import compute_step_excess
from shared.report.figures.training import build_training_figure
from shared.report.page.inline_figures import draw_plots
from shared.report.training_curves import Measure, SeedLine, TrainingPlot, build_plot
from tests.shared.report.drawn_figures import list_rows, list_texts


def make_lines(*values: list[float]) -> list[SeedLine]:
    return [
        SeedLine(str(seed), degenerate=seed == 1, points=list(enumerate(one, start=1)))
        for seed, one in enumerate(values)
    ]


def make_plot(
    measure: Measure, *values: list[float], betas: tuple[float, float] | None = None
) -> TrainingPlot:
    plot = build_plot(measure, "f1_macro", make_lines(*values), uncorrected_betas=betas)
    assert plot is not None
    return plot


def test_the_band_counts_the_runs_that_have_come_so_far() -> None:
    plot = make_plot(Measure.TRAIN_LOSS, [3.0, 1.0], [5.0])
    first, second = plot.band
    assert (first.step, first.n, first.mean, first.low, first.high) == (1, 2, 4.0, 3.0, 5.0)
    assert first.std == pytest.approx(2**0.5)
    assert (second.step, second.n, second.mean, second.std) == (2, 1, 1.0, 0.0)


def test_without_points_there_is_no_plot() -> None:
    assert build_plot(Measure.SCORE, "mcc", make_lines([])) is None


def test_one_schedule_is_one_line() -> None:
    same = make_plot(Measure.LEARNING_RATE, [1e-5, 2e-5, 1e-5], [1e-5, 2e-5])
    assert [(line.name, len(line.points)) for line in same.lines] == [("every seed", 3)]
    assert same.effective == ()
    assert len(make_plot(Measure.LEARNING_RATE, [1e-5], [2e-5]).lines) == 2
    assert len(make_plot(Measure.TRAIN_LOSS, [1.0, 2.0], [1.0]).lines) == 2


def test_without_bias_correction_the_rate_is_that_of_the_first_steps() -> None:
    plot = make_plot(Measure.LEARNING_RATE, [1e-5, 2e-5], betas=(0.8, 0.99))
    assert list(plot.effective) == [
        (step, rate * compute_step_excess(step, 0.8, 0.99)) for step, rate in ((1, 1e-5), (2, 2e-5))
    ]
    assert any("bias correction" in text for text in list_texts(build_training_figure(plot)))


def test_the_figure_has_every_line_the_mean_and_the_band() -> None:
    figure = build_training_figure(make_plot(Measure.SCORE, [0.5, 0.7], [0.5, 0.5]))
    assert {(row["line"], row["kind"]) for row in list_rows(figure, "line")} == {
        (0, "good"),
        (1, "bad"),
    }
    assert [row["value"] for row in list_rows(figure, "value") if len(row) == 2] == [0.5, 0.6]
    assert len(list_rows(figure, "upper")) == 2
    texts = list_texts(figure)
    assert "Validation f1 macro" in texts
    assert any("degenerate" in text for text in texts)


def test_gradient_norms_of_several_magnitudes_have_a_logarithmic_axis() -> None:
    for values, is_log in (([1.0, 900.0], True), ([1.0, 9.0], False), ([0.0, 900.0], False)):
        spec = build_training_figure(make_plot(Measure.GRAD_NORM, values, values)).spec
        assert ("'type': 'log'" in str(spec)) is is_log


def test_the_figures_of_twenty_seeds_are_small() -> None:
    noisy = [[1 / (seed + 3) + step / 7 for step in range(200)] for seed in range(20)]
    drawn = draw_plots([make_plot(measure, *noisy) for measure in (Measure.TRAIN_LOSS,)])
    assert 20_000 < len(drawn["train_loss"]) < 100_000
