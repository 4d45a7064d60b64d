"""Figure of the expected score of the best of n seeds."""

import json
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from shared.report.details import BestOf
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX, ROW_PX
from shared.report.figures.score_texts import name_runs
from shared.report.figures.titles import build_title
from shared.report.figures.value_scale import build_value_scale
from shared.report.schemas import StabilityReport
from shared.report.score_range import get_score_range

if TYPE_CHECKING:
    import altair

LINE_DASHES = (
    [1, 0],
    [6, 3],
    [2, 2],
    [8, 3, 2, 3],
)  # jobs differ by their dashes, not by color alone
SCORE_DESCRIPTIONS = {
    "test": "Its score on the test rows",
    "validation": "Its score on the validation rows that chose it, which is somewhat too high",
}
LEGEND_COLUMNS = 3
LEGEND_LABEL_PX = 170


def build_best_of_n_figure(
    reports: Sequence[tuple[str, StabilityReport]], palette: Palette = LIGHT
) -> Figure:
    """Plot the expected score of the best of n seeds, one line per job.

    Raises ValueError if no report has the curve.
    """
    import altair as alt

    curves = [
        (title, report.best_of_n.curve) for title, report in reports if report.best_of_n is not None
    ]
    if not curves:
        raise ValueError("the figure needs a report with a best-of-n curve")
    noun = name_runs(reports)
    split, metric = reports[0][1].split, reports[0][1].metric
    subtitle = f"{SCORE_DESCRIPTIONS[split]}; drawn from the existing {noun}s (Dodge et al. 2019)."
    expected = (point.expected for _, curve in curves for point in curve)
    y_scale = build_value_scale(expected, get_score_range(metric))
    y = alt.Y("expected:Q", title=f"expected {metric} on {split}", scale=y_scale)
    chart = _build_lines(curves, y, noun, palette).properties(
        width=ROW_PX,
        height=200,
        title=build_title(f"Expected score of the best of n {noun}s", subtitle, FIGURE_PX),
    )
    return finish_figure(chart, palette)


def _build_lines(
    curves: Sequence[tuple[str, Sequence[BestOf]]], y: "altair.Y", noun: str, palette: Palette
) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    values = [
        {"job": index, "n": point.n, "expected": point.expected}
        for index, (_, curve) in enumerate(curves)
        for point in curve
    ]
    color, dash = _encode_jobs([title for title, _ in curves], palette)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=_build_count_axis(max(len(curve) for _, curve in curves), noun),
        y=y,
        color=color,
    )
    return alt.layer(
        base.mark_line(strokeWidth=2.2).encode(strokeDash=dash),
        base.mark_point(filled=True, size=40, opacity=1),
    )


def _build_count_axis(most: int, noun: str) -> "altair.X":
    import altair as alt

    return alt.X(
        "n:Q",
        title=f"{noun}s trained, the best by validation kept",
        scale=alt.Scale(domain=[1, max(most, 2)], nice=False),
        # given, because a count of ticks would also put some between whole numbers
        axis=alt.Axis(
            values=list(range(1, most + 1, ceil(most / 10))), format="d", labelFlush=False
        ),
    )


def _encode_jobs(titles: list[str], palette: Palette) -> "tuple[altair.Color, altair.StrokeDash]":
    """Give each job a pair of color and dashes of its own, up to sixteen, and a legend if there
    are several.
    """
    import altair as alt

    jobs = list(range(len(titles)))
    colors = (palette.good, palette.ink, palette.muted, palette.bad)
    dashes = [LINE_DASHES[(job + job // len(colors)) % len(LINE_DASHES)] for job in jobs]
    legend = _build_legend(titles) if len(jobs) > 1 else None
    color_scale = alt.Scale(domain=jobs, range=[colors[job % len(colors)] for job in jobs])
    return (
        alt.Color("job:O", scale=color_scale, legend=legend),
        alt.StrokeDash("job:O", scale=alt.Scale(domain=jobs, range=dashes), legend=legend),
    )


def _build_legend(titles: list[str]) -> "altair.Legend":
    import altair as alt

    return alt.Legend(
        title=None,
        labelExpr=f"{json.dumps(titles)}[datum.value]",
        symbolType="stroke",
        columns=LEGEND_COLUMNS,
        labelLimit=LEGEND_LABEL_PX,
    )
