"""Baselines in the scores' figure: a dashed rule through the strips, its label above the plot."""

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.report.figures.figure import Palette
from shared.report.figures.lanes import LABEL_FONT_PX, Label, PlacedLabel, place_labels
from shared.report.figures.score_axis import ScoreAxis, TitledReports
from shared.report.formatting import format_baseline_title, format_number
from shared.report.schemas import StabilityReport

if TYPE_CHECKING:
    import altair

MAX_LABELS = 8  # jobs of one comparison share most of their baselines
CONSTANT_BASELINE = "majority"
LEADER_END_PX = LABEL_FONT_PX - 3  # upper end of a leader, from its label's lower edge


class BaselineScore(NamedTuple):
    row: int
    """Index of the job's strip."""
    name: str
    score: float


@dataclass(frozen=True)
class BaselineLabel:
    placed: PlacedLabel
    row: int
    """The first strip with this score."""


def list_baseline_scores(reports: TitledReports) -> list[BaselineScore]:
    """List what is drawn of each job: the constant baseline, and every other one that is the
    best other of some job.
    """
    names = {name for _, report in reports for name in _select_names(report)}
    return [
        BaselineScore(row, baseline.name, baseline.score)
        for row, (_, report) in enumerate(reports)
        for baseline in report.baselines
        if baseline.score is not None and baseline.name in names
    ]


def place_baseline_labels(scores: list[BaselineScore], axis: ScoreAxis) -> list[BaselineLabel]:
    """Place one label for each baseline and score, the first jobs' if there are too many."""
    rows: dict[Label, int] = {}
    for row, name, score in scores:
        text = f"{format_baseline_title(name)} {format_number(score)}"
        rows.setdefault(Label(axis.get_pixel(score), text), row)
    labels = list(rows)[:MAX_LABELS]
    return [
        BaselineLabel(placed, rows[Label(placed.x, placed.text)])
        for placed in place_labels(labels, axis.width)
    ]


def build_baseline_layers(
    scores: list[BaselineScore], labels: list[BaselineLabel], palette: Palette, strip_px: float
) -> list["altair.Chart"]:
    """Draw a rule through every strip that a baseline belongs to, and the labels with their
    leaders.

    Leaders and labels are at fixed pixels; heights are in strips from the middle of the first
    one, downwards, like those of the marks.
    """
    import altair as alt

    if not scores:
        return []
    y, end = alt.Y("y:Q"), alt.Y2("end:Q")
    return [
        alt.Chart(alt.InlineData(values=_build_rules(scores)))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color=palette.muted)
        .encode(x=alt.X("score:Q"), y=y, y2=end),
        alt.Chart(alt.InlineData(values=_build_leaders(labels, strip_px)))
        .mark_rule(strokeWidth=1, color=palette.muted)
        .encode(x=alt.X("x:Q", scale=None), y=y, y2=end),
        *(_build_text_layer(label.placed, palette, strip_px) for label in labels),
    ]


def _build_leaders(labels: list[BaselineLabel], strip_px: float) -> list[dict[str, float]]:
    return [
        {
            "x": label.placed.x,
            "y": label.row - 0.5,
            "end": -0.5 - (label.placed.bottom + LEADER_END_PX) / strip_px,
        }
        for label in labels
    ]


def _build_text_layer(label: PlacedLabel, palette: Palette, strip_px: float) -> "altair.Chart":
    import altair as alt

    align: Literal["left", "right"] = "left" if label.side == "right" else "right"
    anchor = label.left if align == "left" else label.right
    value = {"x": anchor, "y": -0.5 - label.bottom / strip_px, "text": label.text}
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=[value]))
        .mark_text(align=align, baseline="bottom", color=palette.muted, fontSize=LABEL_FONT_PX)
        .encode(x=alt.X("x:Q", scale=None), y=alt.Y("y:Q"), text="text:N")
    )
    return chart


def _build_rules(scores: list[BaselineScore]) -> list[dict[str, float]]:
    """Build one rule for neighboring strips with the same score, so that its dashes go on."""
    rules: list[dict[str, float]] = []
    for score, same in groupby(sorted(scores, key=lambda one: (one.score, one.row)), _get_score):
        for row in sorted({one.row for one in same}):
            if rules and (rules[-1]["score"], rules[-1]["end"]) == (score, row - 0.5):
                rules[-1]["end"] = row + 0.5
            else:
                rules.append({"score": score, "y": row - 0.5, "end": row + 0.5})
    return rules


def _get_score(baseline: BaselineScore) -> float:
    return baseline.score


def _select_names(report: StabilityReport) -> set[str]:
    known = {one.name: one.score for one in report.baselines if one.score is not None}
    others = {name: score for name, score in known.items() if name != CONSTANT_BASELINE}
    best = max(others, key=lambda name: others[name], default=None)
    return {name for name in known if name in (CONSTANT_BASELINE, best)}
