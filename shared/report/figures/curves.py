"""Figure of the learning curves: one thin line per seed, which shows where seeds diverge and
which never learn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.report.figures.figure import LIGHT, Figure, Palette, finish_figure

if TYPE_CHECKING:
    import altair

Points = Sequence[tuple[int, float | None]]
WIDTH, HEIGHT = 620, 190  # pixels of a row of panels, and of one panel


@dataclass(frozen=True)
class SeedCurve:
    """Evaluations of one seed: (optimiser step, value), steps ascending; undefined values leave
    a gap.
    """

    job: str
    seed: int
    degenerate: bool
    valid_loss: Points
    valid_score: Points
    best_step: int | None = None
    """Step of the chosen checkpoint, marked on the lines."""


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
    rows = [
        _build_panel_row(curves, jobs, measure, title, palette, with_header=first)
        for measure, title, first in (
            ("valid_loss", "validation loss (nats)", True),
            ("valid_score", f"validation {metric}", False),
        )
    ]
    sizes = " and ".join(str(sum(curve.job == job for curve in curves)) for job in jobs)
    chart = alt.vconcat(*rows, spacing=22).properties(
        title=alt.TitleParams(
            f"Validation loss and {metric} during training (n = {sizes})",
            subtitle="One line a seed; the dot is its chosen checkpoint. Dashed: degenerate seeds.",
        )
    )
    return finish_figure(chart, palette)


def _build_panel_row(
    curves: Sequence[SeedCurve],
    jobs: list[str],
    measure: str,
    title: str,
    palette: Palette,
    *,
    with_header: bool,
) -> "altair.FacetChart":
    import json

    import altair as alt

    header = alt.Header(
        title=None, labelExpr=f"{json.dumps(jobs)}[datum.value]", labelAnchor="start"
    )
    x = alt.X("step:Q", title=None if with_header else "optimiser step", axis=alt.Axis(tickCount=5))
    y = alt.Y(
        "value:Q", title=title, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickCount=5)
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["learned", "degenerate"], range=[palette.good, palette.bad]),
        legend=None,
    )
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=1.6, opacity=0.75)
        .encode(
            x=x,
            y=y,
            color=colour,
            detail="line:N",
            strokeDash=alt.StrokeDash(
                "kind:N",
                scale=alt.Scale(domain=["learned", "degenerate"], range=[[1, 0], [5, 3]]),
                legend=None,
            ),
        )
    )
    dots = (
        alt.Chart()
        .mark_point(filled=True, size=42, opacity=1)
        .encode(x=x, y=y, color=colour, detail="line:N")
    )
    values = [
        {"line": line, **value}  # not the seed: runs of a grid or of folds share theirs
        for line, curve in enumerate(curves)
        for value in _build_curve_values(curve, jobs.index(curve.job), measure)
    ]
    row: alt.FacetChart = (
        alt.layer(lines, dots.transform_filter("datum.chosen"), data=alt.InlineData(values=values))
        .properties(width=(WIDTH - 30 * (len(jobs) - 1)) / len(jobs), height=HEIGHT)
        .facet(
            column=alt.Column(
                "job:O", header=header if with_header else alt.Header(title=None, labels=False)
            )
        )
        .resolve_scale(x="independent")  # a run of 30 steps beside one of 300 would be a spike
    )
    return row


def _build_curve_values(curve: SeedCurve, job: int, measure: str) -> list[dict[str, Any]]:
    points: Points = getattr(curve, measure)
    return [
        {
            "job": job,
            "seed": curve.seed,
            "kind": "degenerate" if curve.degenerate else "learned",
            "step": step,
            "value": value if value is not None and math.isfinite(value) else None,
            "chosen": step == curve.best_step,
        }
        for step, value in points
    ]
