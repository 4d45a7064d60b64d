"""The tab of the curves: a figure for each measure of the training, and its numbers."""

from api.pages.job.curves import describe_plot, list_shown_points
from api.pages.job.page import JobPage, Tab
from api.runs.curves import read_plots


def build(shown: JobPage) -> dict[str, object]:
    plots = read_plots(shown.page.services, shown.job.id)
    return {"plots": [(plot, describe_plot(plot), list_shown_points(plot)) for plot in plots]}


def has_curves(shown: JobPage) -> bool:
    return any(run.step > 0 for run in shown.runs)


TAB = Tab("curves", "Curves", 20, "job/curves.html.j2", build, has_curves)
