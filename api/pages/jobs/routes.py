"""The list of jobs, with its filters and order in the URL."""

import math
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.jobs import service
from api.pages.first_commands import get_shown_url
from api.pages.form_identity import read_identity
from api.pages.jobs.sample import create_sample_job
from api.pages.jobs.view import build_row, is_open
from api.pages.page import FormDep, PageDep
from api.pages.screens import NavigationEntry
from shared.db.job_search import JobOrder, JobSearch, JobStates
from shared.encoders.catalogue import OFFLINE_ENCODER

router = APIRouter()
NAVIGATION = NavigationEntry("Jobs", "/jobs", order=10)
PAGE_SIZE = 50
POLL_INTERVAL_S = 5
"""Seconds between two looks at the list while a job on it is open."""
IDLE_POLL_INTERVAL_S = 30

StatesQuery = Annotated[JobStates, Query(alias="state")]
ModelQuery = Annotated[str, Query(max_length=256)]
TextQuery = Annotated[str, Query(alias="q", max_length=200)]
FileQuery = Annotated[str, Query(alias="file", max_length=128)]
OrderQuery = Annotated[JobOrder, Query(alias="sort")]
PageQuery = Annotated[int, Query(alias="page", ge=1, le=100_000)]


@router.get("/jobs")
def show_jobs(
    page: PageDep,
    states: StatesQuery = JobStates.ANY,
    model: ModelQuery = "",
    text: TextQuery = "",
    file_id: FileQuery = "",
    order: OrderQuery = JobOrder.NEWEST,
    number: PageQuery = 1,
) -> Response:
    """Show a page of jobs; a first visit is shown what to do."""
    search = JobSearch(states, model, text.strip(), order, file_id)
    jobs, total = service.search_jobs(
        page.services, search, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE
    )
    is_filtered = search != JobSearch(order=order)
    return page.render(
        "jobs/jobs.html.j2",
        rows=[build_row(job) for job in jobs],
        total=total,
        number=number,
        last=max(1, math.ceil(total / PAGE_SIZE)),
        search=search,
        states=list(JobStates),
        models=service.list_used_models(page.services) if jobs or is_filtered else [],
        is_filtered=is_filtered,
        sort_url=_build_url(search, without="sort"),
        page_url=_build_url(search, without="page"),
        poll_s=POLL_INTERVAL_S if any(map(is_open, jobs)) else IDLE_POLL_INTERVAL_S,
        url=get_shown_url(page.request),
        base_model=OFFLINE_ENCODER,
    )


@router.post("/jobs/sample")
async def create_sample(page: PageDep, form: FormDep) -> Response:
    """Make the sample data set and a small job on it, and show the job."""
    job_id = await create_sample_job(page.services, read_identity(form))
    return await run_in_threadpool(page.redirect, f"/jobs/{job_id}")


def _build_url(search: JobSearch, *, without: str) -> str:
    """Return the address of this list, to which another value of one parameter is appended."""
    parameters = {
        "state": search.states,
        "model": search.model,
        "q": search.text,
        "file": search.file_id,
        "sort": search.order if search.order is not JobOrder.NEWEST else "",
    }
    kept = {name: value for name, value in parameters.items() if value and name != without}
    return f"/jobs?{urlencode(kept)}{'&' if kept else ''}"
