"""/v1/fine_tuning/comparisons: whether one job is better than another, as far as their seeds
can tell.
"""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.comparisons import service
from api.comparisons.schemas import ComparisonObject, ComparisonRequest
from api.dependencies import ServicesDep, create_page_dependency
from api.errors import document_errors
from api.pagination import Listing, build_listing
from shared.db.comparisons import Comparisons
from shared.db.pagination import Page
from shared.domain.errors import ComparisonNotFound, JobNotFound, JobsNotComparable

router = APIRouter(prefix="/v1/fine_tuning/comparisons", tags=["comparisons"])


@router.post("", responses=document_errors(JobNotFound, JobsNotComparable))
def create_comparison(services: ServicesDep, request: ComparisonRequest) -> ComparisonObject:
    """Compare jobs on the same rows, as their runs stand now: tests, effect sizes, and a
    verdict that refuses what the seeds cannot carry. `provisional` where a job still has
    open runs.
    """
    return service.create_comparison(services, request)


@router.get("", responses=document_errors())
def list_comparisons(
    services: ServicesDep, page: Annotated[Page, Depends(create_page_dependency(20, 100))]
) -> Listing[ComparisonObject]:
    """The comparisons made so far, newest first."""
    with services.database.read() as session:
        rows, more = Comparisons(session, services.owner_id).page(page)
    return build_listing([ComparisonObject.from_row(row) for row in rows], more)


@router.get("/{comparison_id}", responses=document_errors(ComparisonNotFound))
def retrieve_comparison(services: ServicesDep, comparison_id: str) -> ComparisonObject:
    """The comparison as it was told at the time."""
    with services.database.read() as session:
        return ComparisonObject.from_row(Comparisons(session, services.owner_id).get(comparison_id))
