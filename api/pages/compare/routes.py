"""Compared jobs: differences with intervals and tests, the scores of every seed, the recipes."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from pydantic import StringConstraints
from starlette.concurrency import run_in_threadpool

from api.comparisons.live import LiveComparison, build_live_source, read_live_comparison
from api.comparisons.schemas import ComparisonRequest
from api.jobs.service import search_jobs
from api.pages.compare import view
from api.pages.compare.figures import list_compared_pictures
from api.pages.job.figures import Section, Theme, read_drawn_figure, respond_with_figure
from api.pages.jobs.view import build_row
from api.pages.page import Page, PageDep
from shared.db.job_search import JobSearch
from shared.domain.errors import JobsNotComparable
from shared.metrics import METRICS
from shared.report.page.render import build_report_context

router = APIRouter()
MIN_JOBS: Final = 2
MAX_JOBS: Final = 8
"""With more, the pairs are too many to read."""
OFFERED_JOBS: Final = 20
POLL_INTERVAL_S: Final = 10
ALPHAS: Final = (0.1, 0.05, 0.01)

JobsQuery = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=128)]],
    Query(alias="job", default_factory=list, max_length=100),
]
MetricQuery = Annotated[Literal[("", *METRICS)], Query(alias="metric")]  # type: ignore[valid-type]
AlphaQuery = Annotated[float, Query(ge=0.001, le=0.5)]


@router.get("/compare")
def show_comparison(
    page: PageDep, job_ids: JobsQuery, metric: MetricQuery = "", alpha: AlphaQuery = 0.05
) -> Response:
    """Compare the jobs in the address; ask for others if these cannot be compared."""
    distinct = list(dict.fromkeys(job_ids))
    if not MIN_JOBS <= len(distinct) <= MAX_JOBS:
        return _ask_for_jobs(page, distinct, _explain_number(len(distinct)))
    request = ComparisonRequest(job_ids=distinct, metric=metric or None, alpha=alpha)
    try:
        live = read_live_comparison(page.services, request)
    except JobsNotComparable as error:
        return _ask_for_jobs(page, distinct, error.message, status=error.status)
    return _render_comparison(page, request, live)


@router.get("/compare/figures/{section}/{index}/{theme}.svg")
async def show_compared_figure(
    page: PageDep,
    section: Section,
    index: int,
    theme: Theme,
    job_ids: JobsQuery,
    metric: MetricQuery = "",
) -> Response:
    """Answer with a figure of the compared jobs, in the colors of a theme."""
    request = ComparisonRequest(job_ids=list(dict.fromkeys(job_ids)), metric=metric or None)
    source = await run_in_threadpool(build_live_source, page.services, request)
    svg = await read_drawn_figure(page.services, source, section, index, theme)
    return await run_in_threadpool(respond_with_figure, svg, page.request)


def _render_comparison(page: Page, request: ComparisonRequest, live: LiveComparison) -> Response:
    comparison = live.comparison
    pictures = list_compared_pictures(request, live)
    # the strip of the scores stands above the reports
    context = build_report_context(live.sections, comparison, {**pictures, "scores": []})
    return page.render(
        "compare/compare.html.j2",
        context,
        strip=pictures["scores"],
        comparison=comparison,
        rows=view.list_compared_rows(live),
        pair_rows=view.list_pair_rows(comparison),
        missing=view.list_missing_seeds(live),
        differing=view.list_differing_settings(live.sections),
        metrics=view.list_shared_metrics(live.jobs),
        request=request,
        alphas=ALPHAS,
        poll_s=POLL_INTERVAL_S,
    )


def _ask_for_jobs(page: Page, job_ids: list[str], reason: str, status: int = 200) -> Response:
    """Offer the latest jobs, with the given ones ticked."""
    jobs, total = search_jobs(page.services, JobSearch(), offset=0, limit=OFFERED_JOBS)
    return page.render(
        "compare/choose.html.j2",
        status=status,
        reason=reason,
        is_refused=status != 200 or len(job_ids) > MAX_JOBS,
        ticked=job_ids,
        rows=[build_row(job) for job in jobs],
        total=total,
    )


def _explain_number(count: int) -> str:
    if count > MAX_JOBS:
        return f"{count} jobs are ticked. Compare at most {MAX_JOBS} at a time."
    return "Tick two to eight jobs that were trained on the same rows."
