"""Routes below /v1/fine_tuning/comparisons: statistical comparisons of jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from api.comparisons import page as comparison_page
from api.comparisons import service
from api.comparisons.schemas import ComparisonObject, ComparisonRequest
from api.dependencies import ServicesDep, create_page_dependency
from api.errors import document_errors
from api.etag import IfNoneMatchHeader
from api.pagination import Listing, build_listing
from api.path_parameters import ComparisonIdPath
from api.reports.drawing import UNCHANGED_PAGE, respond_with_page
from shared.db.comparisons import Comparisons
from shared.db.pagination import PageRequest
from shared.domain.errors import (
    ComparisonNotFound,
    JobNotFound,
    JobsNotComparable,
    ServiceUnavailable,
)
from shared.domain.limit_errors import ServiceBusy

router = APIRouter(prefix="/v1/fine_tuning/comparisons", tags=["comparisons"])


@router.post("", responses=document_errors(JobNotFound, JobsNotComparable))
def create_comparison(services: ServicesDep, request: ComparisonRequest) -> ComparisonObject:
    """Compare jobs that were scored on the same rows: tests, effect sizes and a verdict.

    The verdict claims no more than the number of seeds supports. The comparison is stored as made;
    it is `provisional` if a job still has open runs.
    """
    return service.create_comparison(services, request)


@router.get("", responses=document_errors())
def list_comparisons(
    services: ServicesDep, page: Annotated[PageRequest, Depends(create_page_dependency(20, 100))]
) -> Listing[ComparisonObject]:
    """List the comparisons, newest first."""
    with services.database.read() as session:
        rows, has_more = Comparisons(session, services.owner_id).list_page(page)
    return build_listing([ComparisonObject.from_row(row) for row in rows], has_more)


@router.get("/{comparison_id}", responses=document_errors(ComparisonNotFound))
def retrieve_comparison(services: ServicesDep, comparison_id: ComparisonIdPath) -> ComparisonObject:
    """Return a comparison as it was when it was made."""
    with services.database.read() as session:
        return ComparisonObject.from_row(Comparisons(session, services.owner_id).get(comparison_id))


@router.get(
    "/{comparison_id}/report.html",
    summary="Report a comparison as a page",
    response_class=HTMLResponse,
    responses=document_errors(ComparisonNotFound, ServiceBusy, ServiceUnavailable)
    | {200: {"content": {"text/html": {}}, "description": "A self-contained page with figures."}}
    | UNCHANGED_PAGE,
)
async def comparison_html(
    services: ServicesDep, comparison_id: ComparisonIdPath, if_none_match: IfNoneMatchHeader = None
) -> Response:
    """Return the comparison and the reports of its jobs, side by side, as a self-contained page.

    The verdicts are those of the stored comparison; the page says which jobs have changed since.
    """
    source = comparison_page.build_source(services, comparison_id, "html")
    return await respond_with_page(services, source, if_none_match)


@router.get(
    "/{comparison_id}/report.png",
    summary="Report the scores of compared jobs as a picture",
    response_class=Response,
    responses=document_errors(ComparisonNotFound, JobNotFound, ServiceBusy, ServiceUnavailable)
    | {200: {"content": {"image/png": {}}, "description": "The figure of every seed's score."}}
    | UNCHANGED_PAGE,
)
async def comparison_png(
    services: ServicesDep, comparison_id: ComparisonIdPath, if_none_match: IfNoneMatchHeader = None
) -> Response:
    """Return the figure of every seed's score of the compared jobs as a PNG."""
    source = comparison_page.build_source(services, comparison_id, "png")
    return await respond_with_page(services, source, if_none_match)
