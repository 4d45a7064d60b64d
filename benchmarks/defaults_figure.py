"""The picture of a data set in the page of defaults: every seed of every contender, by size."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.defaults_analysis import CellStandings, Standing
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.titles import build_title
from shared.report.formatting import format_baseline_title

if TYPE_CHECKING:
    import altair

PLOT_PX, ROW_PX, LABELS_PX = 520, 26, 220


STRONGEST_BASELINE = "strongest baseline"
CONTENDER_NAMES = {
    "default": "default job",
    "conventional": "conventional (2019)",
    "conventional_own_rate": "conventional, own rate",
    "grid": "best of a grid",
    "setfit": "SetFit",
    "trainer": "transformers.Trainer",
}
RIVAL_SHAPES = {
    "conventional (2019)": "circle",
    "conventional, own rate": "cross",
    "best of a grid": "square",
    STRONGEST_BASELINE: "diamond",
    "SetFit": "triangle-up",
    "transformers.Trainer": "triangle-down",
}
"""Rivals of the default in the figure of its lead; they differ by shape, not by color alone."""


def build_cells_figure(
    title: str, cells: Sequence[CellStandings], palette: Palette = LIGHT
) -> Figure:
    """Plot a strip per contender and baseline, one panel per size, best mean on top.

    Raises ValueError if no contender has a score.
    """
    import altair as alt

    drawn = [cell for cell in cells if any(one.scores for one in cell.standings)]
    if not drawn:
        raise ValueError("the figure needs a contender with a score")
    low, high = _get_range(drawn)
    scale = alt.Scale(domain=[low, high], nice=True, zero=False)
    panels = [_build_panel(cell, scale, palette) for cell in drawn]
    subtitle = (
        "One dot per seed, a bar at the mean; diamonds are baselines without fine-tuning. The "
        "default is in blue."
    )
    chart = alt.vconcat(*panels, spacing=18).properties(
        title=build_title(title, subtitle, PLOT_PX + LABELS_PX)
    )
    return finish_figure(chart, palette)


def build_lead_figure(cells: Sequence[CellStandings], palette: Palette = LIGHT) -> Figure:
    """Plot the default's lead over its rivals, one row per cell; left of 0 it is behind.

    Raises ValueError if the default is measured in no cell.
    """
    import altair as alt

    marks = [mark for cell in cells for mark in _list_leads(cell)]
    if not marks:
        raise ValueError("the figure needs a cell in which the default is measured")
    rows = list(dict.fromkeys(mark["cell"] for mark in marks))
    colors = [palette.good, palette.ink, palette.muted, palette.bad, palette.bad]
    rivals = alt.Scale(domain=list(RIVAL_SHAPES), range=list(RIVAL_SHAPES.values()))
    legend = alt.Legend(title=None, columns=3)
    points = (
        alt.Chart(alt.InlineData(values=marks))
        .mark_point(filled=True, size=90, opacity=0.85)
        .encode(
            x=alt.X("lead:Q", title="mean of the default minus that of the rival, in the metric"),
            y=alt.Y("cell:N", title=None, sort=rows),
            shape=alt.Shape("rival:N", scale=rivals, legend=legend),
            color=alt.Color(
                "rival:N", scale=alt.Scale(domain=list(RIVAL_SHAPES), range=colors), legend=legend
            ),
        )
    )
    zero = alt.Chart(alt.InlineData(values=[{"lead": 0}]))
    rule = zero.mark_rule(strokeWidth=2, color=palette.ink).encode(x=alt.X("lead:Q"))
    subtitle = "Right of 0 the default has the higher mean test score."
    chart = alt.layer(rule, points).properties(
        width=PLOT_PX,
        height=ROW_PX * len(rows),
        title=build_title("The default's lead", subtitle, PLOT_PX + LABELS_PX),
    )
    return finish_figure(chart, palette)


def _list_leads(cell: CellStandings) -> Iterator[dict[str, Any]]:
    """List the lead over each contender and over the strongest baseline."""
    baseline = cell.strongest_baseline
    baseline_name = None if baseline is None else baseline.name
    name = f"{cell.cell.data_set}, {cell.cell.rows:,} rows"
    for difference in cell.list_differences():
        is_baseline = difference.other == baseline_name
        rival = STRONGEST_BASELINE if is_baseline else format_contender(difference.other)
        if rival in RIVAL_SHAPES:
            yield {"cell": name, "rival": rival, "lead": difference.value}


def _build_panel(cell: CellStandings, scale: "altair.Scale", palette: Palette) -> Any:
    import altair as alt

    scored = sorted(
        (one for one in cell.standings if one.mean is not None),
        key=lambda one: one.mean or 0.0,
        reverse=True,
    )
    names = [format_contender(one.name) for one in scored]
    chart = alt.Chart(alt.InlineData(values=[mark for one in scored for mark in _list_marks(one)]))
    x = alt.X("score:Q", title=f"{cell.metric} on {cell.test_rows} test rows", scale=scale)
    y = alt.Y("name:N", title=None, sort=names)
    color = alt.Color(
        "side:N",
        scale=alt.Scale(domain=["default", "other"], range=[palette.good, palette.muted]),
        legend=None,
    )
    layers = [
        chart.transform_filter(f"datum.kind == '{kind}'")
        .mark_point(filled=True, size=size, opacity=0.8, shape=shape)
        .encode(x=x, y=y, color=color)
        for kind, shape, size in (("seed", "circle", 60), ("baseline", "diamond", 80))
    ]
    means = (
        chart.transform_filter("datum.kind == 'mean'")
        .mark_tick(thickness=3, size=18)
        .encode(x=x, y=y, color=color)
    )
    return alt.layer(*layers, means).properties(
        width=PLOT_PX,
        height=ROW_PX * len(scored),
        title=alt.TitleParams(f"{cell.cell.rows:,} training rows", fontSize=13),
    )


def format_contender(name: str) -> str:
    """Name a contender or baseline in tables and pictures."""
    return CONTENDER_NAMES.get(name) or format_baseline_title(name)


def _list_marks(standing: Standing) -> Iterator[dict[str, Any]]:
    side = "default" if standing.name == "default" else "other"
    common = {"name": format_contender(standing.name), "side": side}
    kind = "baseline" if standing.record is None else "seed"
    for score in standing.scores:
        yield common | {"score": score, "kind": kind}
    if standing.record is not None:
        yield common | {"score": standing.mean, "kind": "mean"}


def _get_range(cells: Sequence[CellStandings]) -> tuple[float, float]:
    """Return the range of all scores, with a margin."""
    scores = [score for cell in cells for one in cell.standings for score in one.scores]
    margin = max(0.01, 0.04 * (max(scores) - min(scores)))
    return min(scores) - margin, max(scores) + margin
