"""Figure of the learning curves: one thin line per seed, which shows where seeds diverge and
which never learn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.report.base import Interval
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX, SPACING_PX, PanelGrid
from shared.report.figures.titles import build_title
from shared.report.figures.value_scale import UNBOUNDED, WHOLE_STEPS, build_value_scale
from shared.report.formatting import format_sizes
from shared.report.score_range import get_score_range

if TYPE_CHECKING:
    import altair

Points = Sequence[tuple[int, float | None]]
Measure = Literal["valid_loss", "valid_score"]
PANEL_HEIGHT_PX = 190


@dataclass(frozen=True)
class SeedCurve:
    """Evaluations of one seed: (optimizer step, value), steps ascending; undefined values leave
    a gap.
    """

    job: str
    seed: int
    degenerate: bool
    valid_loss: Points
    valid_score: Points
    best_step: int | None = None
    """Step of the chosen checkpoint, marked on the lines."""


@dataclass(frozen=True)
class _PanelRow:
    """A row of panels that show the same measure of several jobs."""

    jobs: list[str]
    measure: Measure
    y_title: str
    y_values: Sequence[float | None]
    """Values of the measure over all jobs, so that all rows of it have the same scale."""
    y_bounds: Interval
    grid: PanelGrid

    @property
    def is_upper(self) -> bool:
        """Whether the jobs' other measure is below, with the axis of the steps."""
        return self.measure == "valid_loss"


def build_loss_curves_figure(
    curves: Sequence[SeedCurve], metric: str, palette: Palette = LIGHT
) -> Figure:
    """Plot validation loss (above) and metric (below) by step: one column per job, one line per
    seed.
    """
    import altair as alt

    if not curves:
        raise ValueError("a figure of learning curves needs at least one curve")
    jobs = list(dict.fromkeys(curve.job for curve in curves))
    rows = [_build_row(curves, row, palette) for row in _plan_rows(curves, jobs, metric)]
    sizes = format_sizes([sum(curve.job == job for curve in curves) for job in jobs])
    chart = alt.vconcat(*rows, spacing=22).properties(
        title=build_title(
            f"Validation loss and {metric} during training (n = {sizes})",
            "One line per run; the dot is its chosen checkpoint. Dashed: degenerate runs.",
            FIGURE_PX,
        )
    )
    return finish_figure(chart, palette)


def _plan_rows(curves: Sequence[SeedCurve], jobs: list[str], metric: str) -> list[_PanelRow]:
    grid = PanelGrid(len(jobs))
    measures: tuple[tuple[Measure, str, Interval], ...] = (
        ("valid_loss", "validation loss (nats)", UNBOUNDED),
        ("valid_score", f"validation {metric}", get_score_range(metric)),
    )
    return [
        _PanelRow(
            jobs[start : start + grid.columns],
            measure,
            title,
            [value for curve in curves for _, value in _get_points(curve, measure)],
            bounds,
            grid,
        )
        for start in range(0, len(jobs), grid.columns)
        for measure, title, bounds in measures
    ]


def _build_row(
    curves: Sequence[SeedCurve], row: _PanelRow, palette: Palette
) -> "altair.FacetChart":
    import altair as alt

    header = (
        row.grid.build_header([[job] for job in row.jobs])
        if row.is_upper
        else alt.Header(title=None, labels=False)
    )
    values = [
        {"line": line, **value}  # not the seed: runs of a grid or of folds share theirs
        for line, curve in enumerate(curves)
        if curve.job in row.jobs
        for value in _build_curve_values(curve, row.jobs.index(curve.job), row.measure)
    ]
    chart: alt.FacetChart = (
        _build_line_layers(row, palette, alt.InlineData(values=values))
        .properties(width=row.grid.panel_px, height=PANEL_HEIGHT_PX)
        .facet(column=alt.Column("job:O", header=header), spacing=SPACING_PX)
        .resolve_scale(x="independent")  # a run of 30 steps beside one of 300 would be a spike
    )
    return chart


def _build_line_layers(
    row: _PanelRow, palette: Palette, data: "altair.InlineData"
) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    y_scale = build_value_scale(row.y_values, row.y_bounds)
    kinds = ["learned", "degenerate"]
    color_scale = alt.Scale(domain=kinds, range=[palette.good, palette.bad])
    dash_scale = alt.Scale(domain=kinds, range=[[1, 0], [5, 3]])
    step_title = None if row.is_upper else "optimizer step"
    base = alt.Chart().encode(
        x=alt.X("step:Q", title=step_title, axis=alt.Axis(tickCount=5, labelExpr=WHOLE_STEPS)),
        y=alt.Y("value:Q", title=row.y_title, scale=y_scale, axis=alt.Axis(tickCount=5)),
        color=alt.Color("kind:N", scale=color_scale, legend=None),
        detail="line:N",
    )
    dash = alt.StrokeDash("kind:N", scale=dash_scale, legend=None)
    lines = base.mark_line(strokeWidth=1.6, opacity=0.75).encode(strokeDash=dash)
    dots = base.mark_point(filled=True, size=42, opacity=1)
    return alt.layer(lines, dots.transform_filter("datum.chosen"), data=data)


def _build_curve_values(curve: SeedCurve, job: int, measure: Measure) -> list[dict[str, Any]]:
    return [
        {
            "job": job,
            "seed": curve.seed,
            "kind": "degenerate" if curve.degenerate else "learned",
            "step": step,
            "value": value if value is not None and math.isfinite(value) else None,
            "chosen": step == curve.best_step,
        }
        for step, value in _get_points(curve, measure)
    ]


def _get_points(curve: SeedCurve, measure: Measure) -> Points:
    return curve.valid_loss if measure == "valid_loss" else curve.valid_score
