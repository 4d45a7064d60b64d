"""Figure of every seed's score, one strip per job, which shows the distribution and not only
its mean.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.domain.states import RunState
from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure
from shared.report.formatting import format_baseline_title, format_count, format_number
from shared.report.schemas import StabilityReport

if TYPE_CHECKING:
    import altair

STRIP_PX = 96  # pixels per job
# heights within a strip, in strips from its middle, downwards
POINTS_OFFSET, POINTS_SPREAD = -0.1, 0.2
MEAN_OFFSET = 0.26
MIN_SPAN = 0.1  # of the axis, in the metric
METRIC_FLOORS = {"mcc": -1.0, "pearson": -1.0, "spearman": -1.0} | dict.fromkeys(
    ("accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro"), 0.0
)
"""Lowest value of each bounded metric."""
CONSTANT_BASELINE = "majority"
POINT_KINDS = ("learned", "degenerate")


def build_scores_figure(
    reports: Sequence[tuple[str, StabilityReport]], palette: Palette = LIGHT
) -> Figure:
    """Plot strips of all seeds' scores side by side, with mean, 95 % interval of the mean and
    baselines.

    ``reports`` holds the title and the report of each job, which share metric and split.
    """
    import altair as alt

    if not reports:
        raise ValueError("a figure of scores needs at least one report")
    points = [
        point for row, (_, report) in enumerate(reports) for point in _build_points(row, report)
    ]
    means = [mean for row, (_, report) in enumerate(reports) for mean in _build_means(row, report)]
    y = alt.Y(
        "y:Q",
        title=None,
        scale=alt.Scale(domain=[len(reports) - 0.5, -0.5], nice=False, zero=False),
        axis=_build_strip_axis(reports),
    )
    x = alt.X(
        "score:Q",
        title=_format_axis_title(reports),
        scale=alt.Scale(domain=_compute_axis_domain(reports), nice=True),
        axis=alt.Axis(tickCount=7),
    )
    layers = [
        *_build_baseline_layers(reports, x, y, palette),
        alt.Chart(alt.InlineData(values=means))
        .mark_rule(strokeWidth=2, color=palette.ink)
        .encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        alt.Chart(alt.InlineData(values=means))
        .mark_tick(thickness=3, size=16, color=palette.ink)
        .encode(x=x, y=y),
        _build_point_layer(points, x, y, palette),
    ]
    chart = alt.layer(*layers).properties(
        width=620,
        height=STRIP_PX * len(reports),
        title=alt.TitleParams(_format_title(reports), subtitle=_format_subtitle(reports)),
    )
    return finish_figure(chart, palette)


def _compute_axis_domain(reports: Sequence[tuple[str, StabilityReport]]) -> list[float]:
    """Return the range of everything drawn, with some margin and wide enough for equal scores."""
    values = [
        value
        for _, report in reports
        for value in (
            report.min,
            report.max,
            *(_clip_mean_interval(report) if report.ci95 else ()),
            *(base.score for base in report.baselines),
        )
        if value is not None
    ]
    if not values:
        return [0.0, 1.0]
    low, high = min(values), max(values)
    air = max(0.06 * (high - low), (MIN_SPAN - (high - low)) / 2)
    return [low - air, high + air]


def _build_points(row: int, report: StabilityReport) -> list[dict[str, Any]]:
    """Place the points of each job, spread vertically where scores are close, as a function of
    the scores alone.
    """
    runs = [
        run for run in report.runs if run.status == RunState.SUCCEEDED and run.score is not None
    ]
    runs.sort(key=lambda run: (run.score, run.seed))
    heights = _spread_heights(len(runs))
    return [
        {
            "y": row + POINTS_OFFSET + POINTS_SPREAD * height,
            "score": run.score,
            "seed": run.seed,
            "kind": POINT_KINDS[bool(run.degenerate)],
        }
        for run, height in zip(runs, heights, strict=True)
    ]


def _spread_heights(amount: int) -> list[float]:
    """Return even heights from -1 to 1 with neighbours in score far apart (multiples of the
    golden ratio, by rank).
    """
    golden = (math.sqrt(5) - 1) / 2
    order = sorted(range(amount), key=lambda index: index * golden % 1)
    return [
        2 * order.index(index) / (amount - 1) - 1 if amount > 1 else 0.0 for index in range(amount)
    ]


def _build_means(row: int, report: StabilityReport) -> list[dict[str, Any]]:
    if report.mean is None:
        return []
    low, high = _clip_mean_interval(report)
    return [{"y": row + MEAN_OFFSET, "score": report.mean, "low": low, "high": high}]


def _clip_mean_interval(report: StabilityReport) -> tuple[float, float]:
    """Return the part of the mean's interval that the metric can take: Student's t has no
    bounds.
    """
    floor = METRIC_FLOORS.get(report.metric, -math.inf)
    low, high = report.ci95 or (report.mean or 0.0, report.mean or 0.0)
    return max(low, floor), min(high, 1.0)  # no metric here exceeds 1


def _build_point_layer(
    points: list[dict[str, Any]], x: "altair.X", y: "altair.Y", palette: Palette
) -> "altair.Chart":
    import altair as alt

    seen = [kind for kind in POINT_KINDS if any(point["kind"] == kind for point in points)]
    look = {"learned": (palette.good, "circle"), "degenerate": (palette.bad, "triangle-down")}
    legend = alt.Legend(title=None) if "degenerate" in seen else None
    layer: alt.Chart = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=130, opacity=0.85, stroke=palette.paper, strokeWidth=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=seen, range=[look[k][0] for k in seen]),
                legend=legend,
            ),
            shape=alt.Shape(
                "kind:N",
                scale=alt.Scale(domain=seen, range=[look[k][1] for k in seen]),
                legend=legend,
            ),
            tooltip=[
                alt.Tooltip("seed:Q"),
                alt.Tooltip("score:Q", format=".4f"),
                alt.Tooltip("kind:N"),
            ],
        )
    )
    return layer


def _build_baseline_layers(
    reports: Sequence[tuple[str, StabilityReport]], x: "altair.X", y: "altair.Y", palette: Palette
) -> list["altair.Chart"]:
    """Place the constant baseline and the best other one: one line if all jobs share it (same
    rows), else one per strip.
    """
    import altair as alt

    scores = [
        (row, name, score)
        for row, (_, report) in enumerate(reports)
        for name, score in _select_baselines(report).items()
    ]
    if not scores:
        return []
    rules = [{"score": score, "y": row - 0.5, "end": row + 0.5} for row, _, score in scores]
    first = {name: score for _, name, score in reversed(scores)}  # of the first job that has it
    lines = sorted(first.items(), key=lambda one: one[1])
    labels = [
        alt.Chart(
            alt.InlineData(
                values=[
                    {
                        "score": score,
                        "y": -0.5,
                        "text": f"{format_baseline_title(name)} {format_number(score)}",
                    }
                ]
            )
        )
        .mark_text(
            align="left", baseline="top", dx=5, dy=3 + 14 * line, color=palette.muted, fontSize=11
        )
        .encode(x=x, y=y, text="text:N")
        for line, (name, score) in enumerate(lines)
    ]
    rule = alt.Chart(alt.InlineData(values=rules)).mark_rule(
        strokeDash=[5, 4], strokeWidth=1.5, color=palette.muted
    )
    return [rule.encode(x=x, y=y, y2="end:Q"), *labels]


def _select_baselines(report: StabilityReport) -> dict[str, float]:
    known = {one.name: one.score for one in report.baselines if one.score is not None}
    others = {name: score for name, score in known.items() if name != CONSTANT_BASELINE}
    best = max(others, key=lambda name: others[name], default=None)
    return {name: score for name, score in known.items() if name in (CONSTANT_BASELINE, best)}


def _build_strip_axis(reports: Sequence[tuple[str, StabilityReport]]) -> "altair.Axis":
    """Label each strip with the job's title, mean, standard deviation and number of seeds."""
    import json

    import altair as alt

    labels = [[title, *_format_statistics(report)] for title, report in reports]
    return alt.Axis(
        values=list(range(len(reports))),
        labelExpr=f"{json.dumps(labels)}[datum.value]",
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=14,
        labelOffset=-16,  # three lines, the middle one at the strip's middle
        labelLineHeight=16,
    )


def _format_statistics(report: StabilityReport) -> list[str]:
    spread = "" if report.std is None else f" ± {format_number(report.std)}"
    mean = "no score" if report.mean is None else f"{format_number(report.mean)}{spread}"
    bad = f", {report.degenerate} degenerate" if report.degenerate else ""
    failed = f", {report.failed} failed" if report.failed else ""
    return [mean, f"{format_count(report.n, 'seed')}{bad}{failed}"]


def _format_axis_title(reports: Sequence[tuple[str, StabilityReport]]) -> str:
    report = reports[0][1]
    rows = "" if report.evaluation_rows is None else f"{report.evaluation_rows} "
    return f"{report.metric} on the {rows}{report.split} rows"


def _format_title(reports: Sequence[tuple[str, StabilityReport]]) -> str:
    report = reports[0][1]
    return (
        f"{report.metric[:1].upper()}{report.metric[1:]} of every seed (n = "
        f"{_format_seed_counts(reports)})"
    )


def _format_seed_counts(reports: Sequence[tuple[str, StabilityReport]]) -> str:
    sizes = [str(report.n) for _, report in reports]
    return sizes[0] if len(set(sizes)) == 1 else " and ".join([", ".join(sizes[:-1]), sizes[-1]])


def _format_subtitle(reports: Sequence[tuple[str, StabilityReport]]) -> str:
    text = "Each mark is one seed. Below them: the mean and its 95 % interval (Student's t)."
    return (
        f"{text} Provisional: runs are still open."
        if any(report.provisional for _, report in reports)
        else text
    )
