"""GET /: a small page for browsers, and the service's addresses as JSON for other clients."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from api.dependencies import AppServices, ServicesDep
from api.home.page import render_home_page
from api.openapi.service_metadata import get_version
from api.reports.drawing import PAGE_HEADERS
from shared.db.jobs import Jobs
from shared.db.pagination import PageRequest
from shared.db.tables import Job
from shared.domain.api_keys import NO_CALLER

router = APIRouter(include_in_schema=False)  # a page for people; the API begins at /v1

SHOWN_JOBS = 10


@router.api_route("/", methods=["GET", "HEAD"])
def home(services: ServicesDep, request: Request) -> Response:
    """Answer browsers with a page and other clients with JSON."""
    has_docs = services.settings.api_docs
    if not _prefers_html(request.headers.get("accept", "")):
        content = {
            "object": "service",
            "name": "evenkeel",
            "version": get_version(),
            "api": "/v1",
            **({"docs": "/docs", "openapi": "/openapi.json"} if has_docs else {}),
        }
        return JSONResponse(content, headers={"vary": "accept"})
    page = render_home_page(
        str(request.base_url), _list_jobs(services), get_version(), has_docs=has_docs
    )
    headers = PAGE_HEADERS | {"vary": "accept", "cache-control": "no-store"}
    return HTMLResponse(page, headers=headers)


def _list_jobs(services: AppServices) -> list[Job] | None:
    """List the newest jobs; None where keys are required, because a browser sends none."""
    if services.caller == NO_CALLER:
        return None
    with services.database.read() as session:
        jobs, _ = Jobs(session).list_page(services.owner_id, PageRequest(None, SHOWN_JOBS), {})
    return list(jobs)


def _prefers_html(accept: str) -> bool:
    """Return whether the header ranks HTML above JSON, as browsers do."""
    html, json = (_get_quality(accept, kind) for kind in ("text/html", "application/json"))
    return html > json


def _get_quality(accept: str, kind: str) -> float:
    """Return the weight of a media type that the header names; 0 if it does not."""
    for entry in accept.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        if name != kind:
            continue
        weights = (part[2:] for part in parameters if part.startswith("q="))
        try:
            return float(next(weights, "1"))
        except ValueError:
            return 0.0
    return 0.0
