"""The page of a job: its head, a tab below it, its figures and its live events."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from api.jobs.presenting.event_stream import open_event_stream
from api.pages.job.actions import router as actions
from api.pages.job.curves import router as curves
from api.pages.job.figures import Section, Theme, read_figure, respond_with_figure
from api.pages.job.model import router as model
from api.pages.job.page import Tab, list_tabs, open_job, render_tab
from api.pages.page import PageDep
from api.path_parameters import JobIdPath, RunIdPath
from api.runs.service import find_run_log
from shared.db.events import EVENT_ID_PATTERN

router = APIRouter()
router.include_router(actions)
router.include_router(curves)
router.include_router(model)

EventIdQuery = Annotated[str | None, Query(pattern=EVENT_ID_PATTERN)]
LastEventIdHeader = Annotated[str | None, Header(pattern=EVENT_ID_PATTERN)]


def _make_tab_route(tab: Tab) -> Callable[[PageDep, JobIdPath], Any]:
    def show_tab(page: PageDep, job_id: JobIdPath) -> Response:
        return render_tab(page, job_id, tab)

    async def show_slow_tab(page: PageDep, job_id: JobIdPath) -> Response:
        lane = page.services.heavy.plans
        return await lane.run(page.services.owner_id, render_tab, page, job_id, tab)

    return show_slow_tab if tab.is_slow else show_tab


for _tab in list_tabs():
    router.add_api_route(_tab.get_path("{job_id}"), _make_tab_route(_tab), methods=["GET"])


@router.get("/jobs/{job_id}/figures/{section}/{index}/{theme}.svg")
async def show_figure(
    page: PageDep, job_id: JobIdPath, section: Section, index: int, theme: Theme
) -> Response:
    """Answer with a figure of the job's report, in the colors of a theme."""
    svg = await read_figure(page.services, job_id, section, index, theme)
    return respond_with_figure(svg, page.request)


@router.get("/jobs/{job_id}/stream")
async def stream_events(
    page: PageDep,
    job_id: JobIdPath,
    after: EventIdQuery = None,
    last_event_id: LastEventIdHeader = None,
) -> Response:
    """Stream the job's events after the last one that the page has seen."""
    services = page.services
    return await open_event_stream(
        services.database,
        services.stream_limiter,
        job_id,
        services.owner_id,
        last_event_id or after,
        partial(services.key_directory.require_access, services.caller),
    )


@router.get("/jobs/{job_id}/runs/{run_id}/log")
def show_log(page: PageDep, job_id: JobIdPath, run_id: RunIdPath) -> Response:
    """Show the log of a run's latest attempt."""
    shown = open_job(page, job_id)
    log = find_run_log(page.services, job_id, run_id)
    run = next((run for run in shown.runs if run.id == run_id), None)
    return page.render("job/log.html.j2", shown=shown, run=run, run_id=run_id, log=log)
