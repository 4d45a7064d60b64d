"""Figure of many learning curves at once: median, quartiles and extremes at every evaluation."""

from collections.abc import Sequence
from typing import Any

from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.schemas import StabilityReport

WIDTH, HEIGHT = 620, 200  # pixels of the row of panels


def build_fan_figure(
    reports: Sequence[tuple[str, StabilityReport]], palette: Palette = LIGHT
) -> Figure:
    """Plot the validation score by step, one panel per job: median, quartiles and extremes.

    Raises ValueError if no report has a learning curve.
    """
    import json

    import altair as alt

    shown = [
        (title, report, report.learning_curve)
        for title, report in reports
        if report.learning_curve is not None
    ]
    if not shown:
        raise ValueError("a fan needs a report with a learning curve")
    values: list[dict[str, Any]] = [
        {"job": index, **point.model_dump()}
        for index, (_, _, curve) in enumerate(shown)
        for point in curve.points
    ]
    metric = shown[0][2].metric
    x = alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickCount=5))
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart().encode(x=x)
    low = alt.Y("min:Q", title=f"validation {metric}", scale=scale, axis=alt.Axis(tickCount=5))
    layers = alt.layer(
        base.mark_area(color=palette.good, opacity=0.16).encode(y=low, y2="max:Q"),
        base.mark_area(color=palette.good, opacity=0.3).encode(
            y=alt.Y("q1:Q", scale=scale), y2="q3:Q"
        ),
        base.mark_line(color=palette.good, strokeWidth=2.4).encode(
            y=alt.Y("median:Q", scale=scale)
        ),
        base.mark_point(color=palette.good, filled=True, size=36, opacity=1).encode(
            y=alt.Y("median:Q", scale=scale)
        ),
        data=alt.InlineData(values=values),
    )
    titles = [f"{title} ({_format_run_counts(curve.points)})" for title, _, curve in shown]
    header = alt.Header(
        title=None, labelExpr=f"{json.dumps(titles)}[datum.value]", labelAnchor="start"
    )
    chart = (
        layers.properties(width=(WIDTH - 30 * (len(shown) - 1)) / len(shown), height=HEIGHT)
        .facet(column=alt.Column("job:O", header=header))
        .resolve_scale(x="independent")
        .properties(
            title=alt.TitleParams(
                f"Validation {metric} over the seeds, at each evaluation",
                subtitle=(
                    "Line: median. Darker band: first to third quartile. Lighter "
                    "band: lowest to highest seed."
                ),
            )
        )
    )
    return finish_figure(chart, palette)


def _format_run_counts(points: Sequence[Any]) -> str:
    """Describe the number of runs in the fan, which is smaller at the end if some were stopped."""
    sizes = [point.n for point in points]
    return (
        f"n = {sizes[0]}"
        if min(sizes) == max(sizes)
        else f"n = {max(sizes)}, {sizes[-1]} at the end"
    )
