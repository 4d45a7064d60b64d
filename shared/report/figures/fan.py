"""Figure of many learning curves at once: median, quartiles and extremes at every evaluation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.report.details import FanPoint, LearningCurve
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX, SPACING_PX, PanelGrid
from shared.report.figures.score_texts import name_runs
from shared.report.figures.titles import build_title
from shared.report.figures.value_scale import WHOLE_STEPS, build_value_scale
from shared.report.schemas import StabilityReport
from shared.report.score_range import get_score_range

if TYPE_CHECKING:
    import altair

PANEL_HEIGHT_PX = 200
SUBTITLE = (
    "Line: median. Darker band: first to third quartile. Lighter band: lowest to highest run."
)


def build_fan_figure(
    reports: Sequence[tuple[str, StabilityReport]], palette: Palette = LIGHT
) -> Figure:
    """Plot the validation score by step, one panel per job: median, quartiles and extremes.

    Raises ValueError if no report has a learning curve.
    """
    curves = [
        (title, report.learning_curve)
        for title, report in reports
        if report.learning_curve is not None
    ]
    if not curves:
        raise ValueError("a fan needs a report with a learning curve")
    title = f"Validation {curves[0][1].metric} over the {name_runs(reports)}s, at each evaluation"
    chart = _build_panels(curves, palette).properties(title=build_title(title, SUBTITLE, FIGURE_PX))
    return finish_figure(chart, palette)


def _build_panels(
    curves: Sequence[tuple[str, LearningCurve]], palette: Palette
) -> "altair.FacetChart":
    import altair as alt

    grid = PanelGrid(len(curves))
    header = grid.build_header(
        [(title, _format_run_counts(curve.points)) for title, curve in curves]
    )
    chart: alt.FacetChart = (
        _build_fan_layers([curve for _, curve in curves], palette)
        .properties(width=grid.panel_px, height=PANEL_HEIGHT_PX)
        .facet(facet=alt.Facet("job:O", header=header), columns=grid.columns, spacing=SPACING_PX)
        .resolve_scale(x="independent")
    )
    return chart


def _build_fan_layers(
    curves: Sequence[LearningCurve], palette: Palette
) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    points = [point for curve in curves for point in curve.points]
    drawn = [value for point in points for value in (point.min, point.max)]
    scale = build_value_scale(drawn, get_score_range(curves[0].metric))
    title = f"validation {curves[0].metric}"
    step_axis = alt.Axis(tickCount=5, labelExpr=WHOLE_STEPS)
    base = alt.Chart().encode(x=alt.X("step:Q", title="optimizer step", axis=step_axis))
    low = alt.Y("min:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))
    q1, median = alt.Y("q1:Q", scale=scale), alt.Y("median:Q", scale=scale)
    return alt.layer(
        base.mark_area(color=palette.good, opacity=0.16).encode(y=low, y2="max:Q"),
        base.mark_area(color=palette.good, opacity=0.3).encode(y=q1, y2="q3:Q"),
        base.mark_line(color=palette.good, strokeWidth=2.4).encode(y=median),
        base.mark_point(color=palette.good, filled=True, size=36, opacity=1).encode(y=median),
        data=alt.InlineData(values=_list_values(curves)),
    )


def _list_values(curves: Sequence[LearningCurve]) -> list[dict[str, Any]]:
    return [
        {"job": index, **point.model_dump()}
        for index, curve in enumerate(curves)
        for point in curve.points
    ]


def _format_run_counts(points: Sequence[FanPoint]) -> str:
    """Describe the number of runs in the fan, which is smaller at the end if some were stopped."""
    sizes = [point.n for point in points]
    return (
        f"n = {sizes[0]}"
        if min(sizes) == max(sizes)
        else f"n = {max(sizes)}, {sizes[-1]} at the end"
    )
