"""Figure of the confusion matrix."""

import json
from typing import TYPE_CHECKING, Any

from shared.report.figures.figure import LIGHT, TEXT_PX, Figure, Palette, finish_figure
from shared.report.figures.panels import FIGURE_PX
from shared.report.figures.text_width import estimate_text_width
from shared.report.figures.titles import build_title
from shared.report.schemas import ConfusionMatrix

if TYPE_CHECKING:
    import altair

PLOT_PX = 560  # width of all columns
MIN_CELL_PX, MAX_CELL_PX = 30, 62  # height of a row
ROWS_PX = 500  # height of all rows, unless that makes a row too low or too high
MAX_LABELS = 20
"""With more labels the counts are not legible; the report always has the matrix itself."""


def build_confusion_figure(
    confusion: ConfusionMatrix, subtitle: str, palette: Palette = LIGHT
) -> Figure:
    """Plot counts by true (row) and predicted (column) label, shaded by their share of the row,
    so that the diagonal is the recall.

    Raises ValueError for more than ``MAX_LABELS`` labels or none.
    """
    if not 0 < len(confusion.labels) <= MAX_LABELS:
        raise ValueError(
            f"a confusion matrix is drawn for 1 to {MAX_LABELS} labels, not {len(confusion.labels)}"
        )
    rows = sum(map(sum, confusion.matrix))
    height = min(max(ROWS_PX / len(confusion.labels), MIN_CELL_PX), MAX_CELL_PX)
    chart = _build_cell_layers(confusion, palette).properties(
        width=PLOT_PX,
        height=height * len(confusion.labels),
        title=build_title(
            f"Confusion matrix of the best run (n = {rows} rows)", subtitle, FIGURE_PX
        ),
    )
    return finish_figure(chart, palette)


def _build_cell_layers(
    confusion: ConfusionMatrix, palette: Palette
) -> "altair.LayerChart | altair.FacetChart":
    import altair as alt

    names = [_shorten_label(label) for label in confusion.labels]
    top_axis = _build_name_axis(names, orient="top", labelAngle=_choose_label_angle(names))
    base = alt.Chart(alt.InlineData(values=_build_cells(confusion))).encode(
        x=alt.X("predicted:O", title="predicted", axis=top_axis),
        y=alt.Y("true:O", title="true", axis=_build_name_axis(names)),
    )
    shade_scale = alt.Scale(domain=[0, 1], range=[0.03, 1])
    shades = base.mark_rect(color=palette.good, stroke=palette.grid, strokeWidth=1).encode(
        opacity=alt.Opacity("share:Q", scale=shade_scale, legend=None)
    )
    text_color = alt.condition(
        "datum.share > 0.55", alt.value(palette.paper), alt.value(palette.ink)
    )
    counts = base.mark_text(fontSize=TEXT_PX).encode(text="count:Q", color=text_color)
    return alt.layer(shades, counts)


def _build_name_axis(names: list[str], **settings: Any) -> "altair.Axis":
    import altair as alt

    return alt.Axis(
        labelExpr=_build_label_expression(names),
        domain=False,
        ticks=False,
        labelLimit=160,
        **settings,
    )


def _build_cells(confusion: ConfusionMatrix) -> list[dict[str, Any]]:
    return [
        {
            "true": true,
            "predicted": predicted,
            "count": count,
            "share": count / total if (total := sum(row)) else 0.0,
        }
        for true, row in enumerate(confusion.matrix)
        for predicted, count in enumerate(row)
    ]


def _build_label_expression(names: list[str]) -> str:
    """Build a Vega expression for the name at an axis value; JSON keeps quotes in names from
    ending it.
    """
    return f"{json.dumps(names)}[datum.value]"


def _shorten_label(label: str) -> str:
    return label if len(label) <= 24 else f"{label[:23]}…"


def _choose_label_angle(names: list[str]) -> int:
    """Slant the names as soon as one is wider than its column."""
    widest = max(estimate_text_width(name, TEXT_PX) for name in names)
    return -40 if widest > PLOT_PX / len(names) else 0
