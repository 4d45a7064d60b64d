"""Pages and pictures of reports: drawn in a child process, a few at a time, and kept.

That of ended jobs is drawn once, and that of a job with open runs at most once in a few seconds.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.etag import add_etag, compute_etag
from api.reports.page_cache import compute_page_key
from api.reports.page_process import Drawing, PageFormat, draw_in_child, serialize_drawing
from shared.db.jobs import Jobs
from shared.db.tables import Job
from shared.domain.errors import JobNotFound, ServiceUnavailable
from shared.domain.states import OPEN_JOB_STATES
from shared.infra.child_process import build_module_environment

_FORWARDED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "HOME", "TZ")
"""Environment variables that the child process may need; passwords and keys are not among them."""

PAGE_HEADERS = {
    # only inline styles may load, whatever the names of labels and files contain
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Headers of every HTML page."""

UNCHANGED_PAGE: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the response with this `ETag`."}
}
"""For the documentation of the operations that respond with a page or picture."""


@dataclass(frozen=True)
class PageSource:
    """What a page is made of. Its functions read the caller's rows, or raise that it has none."""

    subject_id: str
    """ID of the job or the comparison."""
    format: PageFormat
    read_jobs: Callable[[Session], Sequence[Job]]
    """The jobs that the page shows."""
    read_drawing: Callable[[Session, Sequence[Job]], Drawing]


async def respond_with_page(
    services: AppServices, source: PageSource, if_none_match: str | None
) -> Response:
    """Respond with the page or picture, or with an empty 304 if the caller has it.

    Callers of one page share the drawing. Raises ServiceBusy while other reports are drawn, and
    ServiceUnavailable if the child process fails.
    """
    body = await get_page(services, source)
    is_page = source.format == "html"
    response = Response(
        body,
        media_type="text/html; charset=utf-8" if is_page else "image/png",
        headers=PAGE_HEADERS if is_page else None,
    )
    return add_etag(response, compute_etag(body), if_none_match)


async def get_page(services: AppServices, source: PageSource) -> bytes:
    """Return a page, a picture or figures. Raises as ``respond_with_page`` does."""
    name = f"{services.owner_id}/{source.subject_id}.{source.format}"
    return await services.page_flight.get(name, lambda: _get_page(services, source, name))


def _get_page(services: AppServices, source: PageSource, name: str) -> bytes:
    """Return the page: the recent one of open jobs, the kept one of ended jobs, or a new one."""
    with services.database.read() as session:
        jobs = source.read_jobs(session)
        is_open = any(job.status in OPEN_JOB_STATES for job in jobs)
        job_ids = [job.id for job in jobs]
        # a page from before one of its jobs was deleted has another name, and is not shown again
        recent_name = " ".join([name, *job_ids])
        if is_open and (recent := services.recent_pages.find(recent_name)) is not None:
            return recent
        drawing = serialize_drawing(source.read_drawing(session, jobs))
    if is_open:
        page = _draw(services, drawing)
        services.recent_pages.store(recent_name, page)
        return page
    place = source.subject_id, compute_page_key(services.owner_id, drawing), source.format
    kept = services.page_cache.find(*place)
    if kept is not None:
        return kept
    page = _draw(services, drawing)
    services.page_cache.store(*place, page, job_ids)
    _forget_deleted_jobs(services, job_ids)
    return page


def _forget_deleted_jobs(services: AppServices, job_ids: Sequence[str]) -> None:
    """Delete the page again if a job was deleted while it was drawn."""
    for job_id in job_ids:
        try:
            with services.database.read() as session:
                Jobs(session).get(job_id, services.owner_id)
        except JobNotFound:
            services.page_cache.delete_job(job_id)


def _draw(services: AppServices, drawing: bytes) -> bytes:
    with services.report_drawings.begin():
        try:
            return draw_in_child(drawing, _build_child_environment())
        except subprocess.SubprocessError:
            raise ServiceUnavailable(
                "The figures of the report could not be drawn; retry, or read the JSON report."
            ) from None


def _build_child_environment() -> dict[str, str]:
    forwarded = {name: os.environ[name] for name in _FORWARDED_VARIABLES if name in os.environ}
    return forwarded | build_module_environment()
