"""Figure of every seed's score, one strip per job, which shows the distribution and not only
its mean.
"""

import math
from typing import TYPE_CHECKING, Any

from shared.domain.states import RunState
from shared.report.figures.baseline_rules import (
    build_baseline_layers,
    list_baseline_scores,
    place_baseline_labels,
)
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.figures.score_axis import (
    ScoreAxis,
    TitledReports,
    build_score_axis,
    clip_mean_interval,
)
from shared.report.figures.score_texts import (
    build_strip_axis,
    format_axis_title,
    format_subtitle,
    format_title,
)
from shared.report.figures.titles import build_title
from shared.report.schemas import StabilityReport

if TYPE_CHECKING:
    import altair

PLOT_PX, STRIP_PX = 580, 100  # width of the plot, and height per job
LABELS_PX = 100  # usual width of the strips' labels, left of the plot
# heights within a strip, in strips from its middle, downwards
POINTS_OFFSET, POINTS_SPREAD = -0.1, 0.2
MEAN_OFFSET = 0.28
POINT_AREAS = ((10, 130), (25, 90))
"""Area of a point, in square pixels, for at most so many points in a strip."""
SMALLEST_POINT_AREA = 56
POINT_KINDS = ("learned", "degenerate")


def build_scores_figure(reports: TitledReports, palette: Palette = LIGHT) -> Figure:
    """Plot strips of all seeds' scores side by side, with mean, 95% interval of the mean and
    baselines.

    ``reports`` holds the title and the report of each job, which share metric and split.
    """
    import altair as alt

    if not reports:
        raise ValueError("a figure of scores needs at least one report")
    axis = build_score_axis(reports, PLOT_PX)
    x, y = _encode_score(reports, axis), _encode_strip(reports)
    baselines = list_baseline_scores(reports)
    labels = place_baseline_labels(baselines, axis)
    chart = alt.layer(
        *_build_mean_layers(reports, x, y, palette),
        *build_baseline_layers(baselines, labels, palette, STRIP_PX),
        _build_point_layer(reports, x, y, palette),
    ).properties(
        width=PLOT_PX,
        height=STRIP_PX * len(reports),
        title=build_title(format_title(reports), format_subtitle(reports), PLOT_PX + LABELS_PX),
    )
    return finish_figure(chart, palette)


def _encode_score(reports: TitledReports, axis: ScoreAxis) -> "altair.X":
    import altair as alt

    return alt.X(
        "score:Q",
        title=format_axis_title(reports),
        scale=alt.Scale(domain=axis.domain, nice=False, zero=False),
        axis=alt.Axis(values=list(axis.ticks)),
    )


def _encode_strip(reports: TitledReports) -> "altair.Y":
    import altair as alt

    domain = [len(reports) - 0.5, -0.5]
    return alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=domain, nice=False, zero=False),
        axis=build_strip_axis(reports),
    )


def _build_mean_layers(
    reports: TitledReports, x: "altair.X", y: "altair.Y", palette: Palette
) -> list["altair.Chart"]:
    import altair as alt

    means = [mean for row, (_, report) in enumerate(reports) for mean in _build_means(row, report)]
    chart = alt.Chart(alt.InlineData(values=means))
    return [
        chart.mark_rule(strokeWidth=2, color=palette.ink).encode(
            x=alt.X("low:Q"), x2="high:Q", y=y
        ),
        chart.mark_tick(thickness=3, size=16, color=palette.ink).encode(x=x, y=y),
    ]


def _build_means(row: int, report: StabilityReport) -> list[dict[str, Any]]:
    if report.mean is None:
        return []
    low, high = clip_mean_interval(report)
    return [{"y": row + MEAN_OFFSET, "score": report.mean, "low": low, "high": high}]


def _build_point_layer(
    reports: TitledReports, x: "altair.X", y: "altair.Y", palette: Palette
) -> "altair.Chart":
    import altair as alt

    strips = [_build_points(row, report) for row, (_, report) in enumerate(reports)]
    points = [point for strip in strips for point in strip]
    area = _choose_point_area(max(map(len, strips)))
    tooltip = [alt.Tooltip("seed:Q"), alt.Tooltip("score:Q", format=".4f"), alt.Tooltip("kind:N")]
    kinds = _encode_kind({point["kind"] for point in points}, palette)
    layer: alt.Chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=area, opacity=0.85, stroke=palette.paper, strokeWidth=1)
        .encode(x=x, y=y, tooltip=tooltip, **kinds)
    )
    return layer


def _encode_kind(seen: set[str], palette: Palette) -> dict[str, Any]:
    """Tell degenerate seeds apart by color and shape, with a legend if there are any."""
    import altair as alt

    looks = {"learned": (palette.good, "circle"), "degenerate": (palette.bad, "triangle-down")}
    domain = [kind for kind in POINT_KINDS if kind in seen]
    colors, shapes = ([looks[kind][part] for kind in domain] for part in (0, 1))
    legend = alt.Legend(title=None) if "degenerate" in seen else None
    return {
        "color": alt.Color("kind:N", scale=alt.Scale(domain=domain, range=colors), legend=legend),
        "shape": alt.Shape("kind:N", scale=alt.Scale(domain=domain, range=shapes), legend=legend),
    }


def _choose_point_area(points: int) -> int:
    return next((area for most, area in POINT_AREAS if points <= most), SMALLEST_POINT_AREA)


def _build_points(row: int, report: StabilityReport) -> list[dict[str, Any]]:
    """Place the points of a job, spread vertically where scores are close, as a function of the
    scores alone. Degenerate ones come last, so that they are drawn on top.
    """
    scored = (run for run in report.runs if run.status == RunState.SUCCEEDED)
    runs = sorted(
        (run for run in scored if run.score is not None), key=lambda run: (run.score, run.seed)
    )
    points: list[dict[str, Any]] = [
        {
            "y": row + POINTS_OFFSET + POINTS_SPREAD * height,
            "score": run.score,
            "seed": run.seed,
            "kind": POINT_KINDS[bool(run.degenerate)],
        }
        for run, height in zip(runs, _spread_heights(len(runs)), strict=True)
    ]
    return sorted(points, key=lambda point: POINT_KINDS.index(point["kind"]))


def _spread_heights(amount: int) -> list[float]:
    """Return even heights from -1 to 1 with neighbors in score far apart (multiples of the
    golden ratio, by rank).
    """
    golden = (math.sqrt(5) - 1) / 2
    order = sorted(range(amount), key=lambda index: index * golden % 1)
    return [
        2 * order.index(index) / (amount - 1) - 1 if amount > 1 else 0.0 for index in range(amount)
    ]
