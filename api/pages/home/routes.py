"""GET /: the list of jobs for browsers, and the service's addresses as JSON for other clients."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.dependencies import ServicesDep
from api.media_types import prefers_html
from api.openapi.service_metadata import get_version

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"])
def home(services: ServicesDep, request: Request) -> Response:
    """Send browsers to the list of jobs, and answer other clients with JSON."""
    headers = {"vary": "accept"}
    if prefers_html(request.headers.get("accept", "")):
        return RedirectResponse("/jobs", 303, headers=headers | {"cache-control": "no-store"})
    has_docs = services.settings.api_docs
    content = {
        "object": "service",
        "name": "evenkeel",
        "version": get_version(),
        "api": "/v1",
        **({"docs": "/docs", "openapi": "/openapi.json"} if has_docs else {}),
    }
    return JSONResponse(content, headers=headers)
