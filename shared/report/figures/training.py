"""Figure of one measure of the training: a thin line per run, their mean and their band."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX, ROW_PX
from shared.report.figures.titles import build_title
from shared.report.figures.value_scale import WHOLE_STEPS
from shared.report.formatting import capitalize_first
from shared.report.training_curves import Measure, TrainingPlot

if TYPE_CHECKING:
    import altair

HEIGHT_PX = 180
LOG_RATIO = 30
"""A gradient norm whose largest value is as many times its smallest has a logarithmic axis."""


def build_training_figure(plot: TrainingPlot, palette: Palette = LIGHT) -> Figure:
    """Plot the measure by step."""
    chart = _build_layers(plot, palette).properties(
        width=ROW_PX,
        height=HEIGHT_PX,
        title=build_title(capitalize_first(plot.title), _describe_marks(plot), FIGURE_PX),
    )
    return finish_figure(chart, palette)


def _describe_marks(plot: TrainingPlot) -> str:
    count = len(plot.lines)
    if plot.measure is Measure.LEARNING_RATE:
        text = "The same for every seed." if count == 1 else f"Thin: one line per run, {count}."
        if plot.effective:
            text += " Dashed: the rate that the missing bias correction makes of it."
        return text
    if count == 1:
        return "One run."
    text = f"Thin: one line per run, {count}. Thick: mean. Band: mean ± standard deviation."
    return f"{text} Dashed: degenerate." if any(line.degenerate for line in plot.lines) else text


def _build_layers(plot: TrainingPlot, palette: Palette) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    is_log = _is_logarithmic(plot)
    scale = alt.Scale(zero=False, nice=True)
    ticks: dict[str, Any] = {"tickCount": 5}
    if is_log:
        decades = _list_decades(plot)
        scale = alt.Scale(type="log", domain=[decades[0], decades[-1]])
        ticks = {"values": decades}
    axis = alt.Axis(format="~g", **ticks)
    y = alt.Y("value:Q", title=_name_axis(plot), scale=scale, axis=axis)
    x = alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickCount=6, labelExpr=WHOLE_STEPS))
    has_mean = len(plot.lines) > 1
    layers: list[Any] = [_build_lines(plot, palette, x, y, is_thin=has_mean)]
    if has_mean:
        layers = [
            _build_band(plot, palette, x, y, is_log=is_log),
            *layers,
            _build_mean(plot, palette, x, y),
        ]
    if plot.effective:
        layers.append(_build_effective(plot, palette, x, y))
    return alt.layer(*layers)


def _build_lines(
    plot: TrainingPlot, palette: Palette, x: "altair.X", y: "altair.Y", *, is_thin: bool
) -> "altair.Chart":
    import altair as alt

    values = [
        {"line": number, "kind": "bad" if line.degenerate else "good", "step": step, "value": value}
        for number, line in enumerate(plot.lines)
        for step, value in line.points
    ]
    kinds = ["good", "bad"]
    color = alt.Scale(domain=kinds, range=[palette.good, palette.bad])
    dash = alt.Scale(domain=kinds, range=[[1, 0], [5, 3]])
    width, opacity = (1, 0.4) if is_thin else (2.2, 1)
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=values))
        .mark_line(strokeWidth=width, opacity=opacity)
        .encode(
            x=x,
            y=y,
            detail="line:N",
            color=alt.Color("kind:N", scale=color, legend=None),
            strokeDash=alt.StrokeDash("kind:N", scale=dash, legend=None),
        )
    )
    return chart


def _build_band(
    plot: TrainingPlot, palette: Palette, x: "altair.X", y: "altair.Y", *, is_log: bool
) -> "altair.Chart":
    import altair as alt

    values = [
        {
            "step": point.step,
            # a logarithmic axis has no place for a lower end of 0 or less
            "value": max(point.mean - point.std, point.low) if is_log else point.mean - point.std,
            "upper": point.mean + point.std,
        }
        for point in plot.band
    ]
    area = alt.Chart(alt.InlineData(values=values)).mark_area(color=palette.good, opacity=0.16)
    chart: alt.Chart = area.encode(x=x, y=y, y2="upper:Q")
    return chart


def _build_mean(
    plot: TrainingPlot, palette: Palette, x: "altair.X", y: "altair.Y"
) -> "altair.Chart":
    return _build_single_line(
        [(point.step, point.mean) for point in plot.band], x, y, color=palette.ink, strokeWidth=2.2
    )


def _build_effective(
    plot: TrainingPlot, palette: Palette, x: "altair.X", y: "altair.Y"
) -> "altair.Chart":
    return _build_single_line(
        plot.effective, x, y, color=palette.bad, strokeWidth=2.2, strokeDash=[6, 4]
    )


def _build_single_line(
    points: Sequence[tuple[int, float]], x: "altair.X", y: "altair.Y", **style: Any
) -> "altair.Chart":
    import altair as alt

    values = [{"step": step, "value": value} for step, value in points]
    chart: alt.Chart = alt.Chart(alt.InlineData(values=values)).mark_line(**style).encode(x=x, y=y)
    return chart


def _name_axis(plot: TrainingPlot) -> str:
    return f"{plot.title} (nats)" if plot.measure.endswith("_loss") else plot.title


def _is_logarithmic(plot: TrainingPlot) -> bool:
    if plot.measure is not Measure.GRAD_NORM:
        return False
    values = [value for line in plot.lines for _, value in line.points]
    return min(values) > 0 and max(values) > LOG_RATIO * min(values)


def _list_decades(plot: TrainingPlot) -> list[float]:
    """List the powers of ten from below the lowest value to above the highest."""
    values = [value for line in plot.lines for _, value in line.points]
    upper = max([*values, *(point.mean + point.std for point in plot.band)])
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(upper))
    return [10.0**power for power in range(first, last + 1)]
