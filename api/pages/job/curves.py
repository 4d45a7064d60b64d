"""The curves of a job: pictures that are fetched one by one, and their numbers as CSV."""

import json

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.errors import RouteNotFound
from api.pages.job.figures import Theme, color_figure, draw_in_turn, respond_with_figure
from api.pages.page import PageDep
from api.path_parameters import JobIdPath
from api.runs.curves import build_curves_source, read_plots, write_plot
from shared.db.downsampling import compute_positions
from shared.report.formatting import capitalize_first
from shared.report.training_curves import BandPoint, Measure, TrainingPlot

router = APIRouter()
SHOWN_STEPS = 11
_MISSING = "This job has no such curve now; reload the page."


@router.get("/jobs/{job_id}/curves/{measure}/{theme}.svg")
async def show_curves(page: PageDep, job_id: JobIdPath, measure: Measure, theme: Theme) -> Response:
    """Answer with the figure of a measure, in the colors of a theme."""
    source = build_curves_source(page.services, job_id)
    drawn: dict[str, str] = json.loads(await draw_in_turn(page.services, source))
    if measure not in drawn:
        raise RouteNotFound(_MISSING)
    figure = color_figure(drawn[measure], theme)
    return await run_in_threadpool(respond_with_figure, figure, page.request)


@router.get("/jobs/{job_id}/curves/{measure}.csv")
def download_curves(page: PageDep, job_id: JobIdPath, measure: Measure) -> Response:
    """Answer with the numbers of a figure: a row for each step, a column for each seed."""
    plots = read_plots(page.services, job_id)
    plot = next((plot for plot in plots if plot.measure is measure), None)
    if plot is None:
        raise RouteNotFound(_MISSING)
    headers = {
        "content-disposition": f'attachment; filename="{job_id}-{measure}.csv"',
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    return Response(write_plot(plot), media_type="text/csv; charset=utf-8", headers=headers)


def list_shown_points(plot: TrainingPlot) -> list[BandPoint]:
    """Choose a few steps evenly, for a table beside the figure."""
    if len(plot.band) <= SHOWN_STEPS:
        return list(plot.band)
    return [plot.band[place] for place in compute_positions(len(plot.band), SHOWN_STEPS)]


def describe_plot(plot: TrainingPlot) -> str:
    """Describe a figure for those who do not see it."""
    first, last = plot.band[0], plot.band[-1]
    text = (
        f"{capitalize_first(plot.title)} from step {first.step} to {last.step}. "
        f"{_describe_point(first)} {_describe_point(last)}"
    )
    if plot.effective:
        step, rate = plot.effective[-1]
        text += f" Without bias correction it acts as {rate:.3g} at step {step}."
    return text


def _describe_point(point: BandPoint) -> str:
    if point.n == 1:
        return f"At step {point.step}: {point.mean:.4g}."
    return (
        f"At step {point.step}: mean {point.mean:.4g} over {point.n} runs, "
        f"from {point.low:.4g} to {point.high:.4g}."
    )
