"""The page's figures as inline SVG, with the colors of its theme."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.report.figures import (
    CSS_VARIABLES,
    Figure,
    build_best_of_n_figure,
    build_confusion_figure,
    build_fan_figure,
    build_loss_curves_figure,
    build_scores_figure,
    build_step_size_figure,
)
from shared.report.figures.confusion import MAX_LABELS
from shared.report.figures.figure import TEXT_PX
from shared.report.figures.training import build_training_figure
from shared.report.page.section import JobSection
from shared.report.training_curves import TrainingPlot

if TYPE_CHECKING:
    from markupsafe import Markup


FigureBuilder = Callable[[], Figure]
MIN_TEXT_PX = 12
"""Smallest size at which a text of a figure is shown; a narrower screen scrolls the figure."""
_LONG_FRACTION = re.compile(r"(\.\d)\d+")
_SIZE = re.compile(r' width="(\d+)" height="\d+"(?= viewBox=)')


@dataclass(frozen=True)
class InlineFigure:
    svg: "Markup"
    """As wide as its container, but not narrower than its texts need."""
    name: str
    """Its title, the name of the region that scrolls it."""


def build_inline_figures(jobs: Sequence[JobSection]) -> dict[str, list[InlineFigure]]:
    """Build the page's figures by section; a section without data has none."""
    return {
        section: [_inline_figure(build()) for build in planned]
        for section, planned in plan_figures(jobs).items()
    }


def draw_figures(jobs: Sequence[JobSection]) -> dict[str, list[str]]:
    """Draw the page's figures as SVG documents by section, with the colors as CSS variables."""
    return {
        section: [build().to_svg() for build in planned]
        for section, planned in plan_figures(jobs).items()
    }


def draw_plots(plots: Sequence[TrainingPlot]) -> dict[str, str]:
    """Draw curves of the training as SVG documents by measure, with the colors as CSS variables."""
    return {
        plot.measure: _shorten_paths(build_training_figure(plot, CSS_VARIABLES).to_svg())
        for plot in plots
    }


def _shorten_paths(svg: str) -> str:
    """Cut coordinates to tenths of a pixel, which makes a figure of many lines half as large."""
    before, *parts = svg.split(' d="')
    for part in parts:
        path, quote, rest = part.partition('"')
        before += ' d="' + _LONG_FRACTION.sub(r"\1", path) + quote + rest
    return before


def plan_figures(jobs: Sequence[JobSection]) -> dict[str, list[FigureBuilder]]:
    """Return what builds the page's figures, by section. Nothing is built yet."""
    reports = [(job.title, job.report) for job in jobs]
    curves = [curve for job in jobs for curve in job.curves]
    has_fan = any(job.report.learning_curve is not None for job in jobs)
    return {
        "scores": [partial(build_scores_figure, reports, CSS_VARIABLES)] if reports else [],
        "best_of_n": _plan_best_of_n_figures(jobs),
        "fan": [partial(build_fan_figure, reports, CSS_VARIABLES)] if has_fan else [],
        "curves": (
            [partial(build_loss_curves_figure, curves, jobs[0].report.metric, CSS_VARIABLES)]
            if curves
            else []
        ),
        "step_size": _plan_step_size_figures(jobs),
        "confusion": [figure for job in jobs for figure in _plan_confusion_figures(job)],
    }


def _plan_best_of_n_figures(jobs: Sequence[JobSection]) -> list[FigureBuilder]:
    """Plan the figure if a job has more than one run to choose from."""
    if not any(job.report.best_of_n and job.report.best_of_n.runs > 1 for job in jobs):
        return []
    reports = [(job.title, job.report) for job in jobs]
    return [partial(build_best_of_n_figure, reports, CSS_VARIABLES)]


def _plan_step_size_figures(jobs: Sequence[JobSection]) -> list[FigureBuilder]:
    """Plan one figure for each length of the runs without bias correction."""
    lengths = {
        steps
        for job in jobs
        if job.recipe.get("bias_correction") is False
        and isinstance(steps := job.recipe.get("max_steps"), int)
    }
    return [
        partial(build_step_size_figure, steps, palette=CSS_VARIABLES) for steps in sorted(lengths)
    ]


def _plan_confusion_figures(job: JobSection) -> list[FigureBuilder]:
    confusion = job.report.confusion_matrix
    if confusion is None or not 0 < len(confusion.labels) <= MAX_LABELS:
        return []
    seed = next(
        (f", seed {run.seed}" for run in job.report.runs if run.run_id == confusion.run_id), ""
    )
    subtitle = f"{job.title}{seed}, {job.report.split} rows"
    return [partial(build_confusion_figure, confusion, subtitle, CSS_VARIABLES)]


def _inline_figure(figure: Figure) -> InlineFigure:
    """Inline the SVG as markup: the renderer has escaped its texts."""
    from markupsafe import Markup

    return InlineFigure(Markup(_make_flexible(figure.to_svg())), figure.title)


def _make_flexible(svg: str) -> str:
    """Let the page choose the size, down to the width at which texts have ``MIN_TEXT_PX``."""

    def replace_size(size: re.Match[str]) -> str:
        least = math.ceil(int(size[1]) * MIN_TEXT_PX / TEXT_PX)
        return f' style="min-width:{least}px"'

    return _SIZE.sub(replace_size, svg, count=1)
