"""/v1/fine_tuning/comparisons: whether one job is better than another, as far as their seeds can tell."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.comparisons import service
from api.comparisons.schemas import ComparisonObject, ComparisonRequest
from api.dependencies import PartsDep, paging
from api.errors import problems
from api.pagination import Listing, listing
from shared.db.comparisons import Comparisons
from shared.db.pagination import Page
from shared.domain.errors import ComparisonNotFound, JobNotFound, JobsNotComparable

router = APIRouter(prefix="/v1/fine_tuning/comparisons", tags=["comparisons"])


@router.post("", responses=problems(JobNotFound, JobsNotComparable))
def create_comparison(parts: PartsDep, request: ComparisonRequest) -> ComparisonObject:
    """Compare jobs on the same rows, as their runs stand now: tests, effect sizes, and a verdict that refuses what the seeds
    cannot carry. `provisional` where a job still has open runs."""
    return service.create(parts, request)


@router.get("", responses=problems())
def list_comparisons(
    parts: PartsDep, page: Annotated[Page, Depends(paging(20, 100))]
) -> Listing[ComparisonObject]:
    """The comparisons made so far, newest first."""
    with parts.database.read() as session:
        rows, more = Comparisons(session, parts.owner_id).page(page)
    return listing([ComparisonObject.of(row) for row in rows], more)


@router.get("/{comparison_id}", responses=problems(ComparisonNotFound))
def retrieve_comparison(parts: PartsDep, comparison_id: str) -> ComparisonObject:
    """The comparison as it was told at the time."""
    with parts.database.read() as session:
        return ComparisonObject.of(Comparisons(session, parts.owner_id).get(comparison_id))
