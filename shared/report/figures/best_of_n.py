"""Figure of the expected score of the best of n seeds."""

from collections.abc import Sequence

from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.schemas import StabilityReport

LINE_DASHES = (
    [1, 0],
    [6, 3],
    [2, 2],
    [8, 3, 2, 3],
)  # jobs differ by their dashes, not by colour alone


def build_best_of_n_figure(
    reports: Sequence[tuple[str, StabilityReport]], palette: Palette = LIGHT
) -> Figure:
    """Plot the expected score of the best of n seeds, one line per job.

    Raises ValueError if no report has the curve.
    """
    import json

    import altair as alt

    curves = [
        (title, report.best_of_n.curve) for title, report in reports if report.best_of_n is not None
    ]
    if not curves:
        raise ValueError("the figure needs a report with a best-of-n curve")
    split, metric = reports[0][1].split, reports[0][1].metric
    values = [
        {"job": index, "n": point.n, "expected": point.expected}
        for index, (_, curve) in enumerate(curves)
        for point in curve
    ]
    most = max(len(curve) for _, curve in curves)
    x = alt.X(
        "n:Q",
        title="seeds trained, the best by validation kept",
        scale=alt.Scale(domain=[1, max(most, 2)], nice=False),
        axis=alt.Axis(tickCount=min(most, 10), tickMinStep=1, format="d", labelFlush=False),
    )
    y = alt.Y(
        "expected:Q", title=f"expected {metric} on {split}", scale=alt.Scale(zero=False, nice=True)
    )
    jobs = list(range(len(curves)))
    names = json.dumps([title for title, _ in curves])
    legend = (
        alt.Legend(title=None, labelExpr=f"{names}[datum.value]", symbolType="stroke")
        if len(jobs) > 1
        else None
    )
    colours = (palette.good, palette.ink, palette.muted, palette.bad)
    colour = alt.Color(
        "job:O", scale=alt.Scale(domain=jobs, range=[colours[i % 4] for i in jobs]), legend=legend
    )
    dash = alt.StrokeDash(
        "job:O",
        scale=alt.Scale(domain=jobs, range=[LINE_DASHES[i % 4] for i in jobs]),
        legend=legend,
    )
    base = alt.Chart(alt.InlineData(values=values)).encode(x=x, y=y, color=colour)
    told = (
        "its score on test"
        if split == "test"
        else "its score on the validation rows that chose it, hence somewhat too good"
    )
    chart = alt.layer(
        base.mark_line(strokeWidth=2.2).encode(strokeDash=dash),
        base.mark_point(filled=True, size=40, opacity=1),
    ).properties(
        width=620,
        height=200,
        title=alt.TitleParams(
            "Expected score of the best of n seeds",
            subtitle=f"Drawn from the seeds there are (Dodge et al. 2019); what is told is {told}.",
        ),
    )
    return finish_figure(chart, palette)
