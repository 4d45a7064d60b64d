"""Texts of the scores' figure: title, subtitle, axis title, and the label of each strip."""

import json
from typing import TYPE_CHECKING

from shared.report.figures.score_axis import TitledReports
from shared.report.formatting import (
    capitalize_first,
    choose_run_noun,
    format_count,
    format_number,
    format_sizes,
    format_spread,
)
from shared.report.schemas import StabilityReport

if TYPE_CHECKING:
    import altair

METRIC_TITLES = {"mcc": "MCC", "r2": "R²"}
"""Names at the beginning of a title that are not just the metric's name with a capital."""


def build_strip_axis(reports: TitledReports) -> "altair.Axis":
    """Label each strip with the job's title, mean, standard deviation and number of runs."""
    import altair as alt

    labels = [[title, *_format_statistics(report)] for title, report in reports]
    return alt.Axis(
        values=list(range(len(reports))),
        labelExpr=f"{json.dumps(labels)}[datum.value]",
        grid=False,
        ticks=False,
        domain=False,
        labelPadding=14,
        labelOffset=-17,  # three lines, the middle one at the strip's middle
        labelLineHeight=17,
    )


def format_axis_title(reports: TitledReports) -> str:
    report = reports[0][1]
    rows = "" if report.evaluation_rows is None else f"{report.evaluation_rows} "
    return f"{report.metric} on the {rows}{report.split} rows"


def format_title(reports: TitledReports) -> str:
    metric = reports[0][1].metric
    name = METRIC_TITLES.get(metric, capitalize_first(metric))
    sizes = format_sizes([report.n for _, report in reports])
    return f"{name} of every {name_runs(reports)} (n = {sizes})"


def format_subtitle(reports: TitledReports) -> str:
    text = (
        f"Each mark is one {name_runs(reports)}. Below them: the mean and its 95% interval "
        "(Student's t)."
    )
    if any(report.provisional for _, report in reports):
        return f"{text} Provisional: runs are still open."
    return text


def name_runs(reports: TitledReports) -> str:
    """Choose what to call the counted runs of all jobs."""
    return choose_run_noun(run for _, report in reports for run in report.runs)


def _format_statistics(report: StabilityReport) -> list[str]:
    spread = "" if report.std is None else f" ± {format_spread(report.std)}"
    if report.equal_scores is not None:
        spread = f" in all {report.run_noun}s"
    mean = "no score" if report.mean is None else f"{format_number(report.mean)}{spread}"
    bad = f", {report.degenerate} degenerate" if report.degenerate else ""
    failed = f", {report.failed} failed" if report.failed else ""
    return [mean, f"{format_count(report.n, report.run_noun)}{bad}{failed}"]
