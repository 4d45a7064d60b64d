"""Routes below /v1/fine_tuning/jobs/{job_id} for the stability report: JSON, CSV, HTML, PNG."""

import csv
import io

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.etag import IfNoneMatchHeader
from api.path_parameters import JobIdPath
from api.reports.drawing import UNCHANGED_PAGE, respond_with_page
from api.reports.service import build_source
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.domain.errors import JobNotFound, ServiceUnavailable
from shared.domain.limit_errors import ServiceBusy
from shared.report import StabilityReport
from shared.report.builder import build_full_report, build_report
from shared.report.schemas import ReportedRun

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["reports"])


@router.get(
    "/{job_id}/stability",
    summary="Report the stability of a job",
    responses=document_errors(JobNotFound),
)
def stability(services: ServicesDep, job_id: JobIdPath) -> StabilityReport:
    """Return the job's report: mean, spread, degenerate runs, the score of every seed.

    It is provisional while runs are open.
    """
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        return build_full_report(session, job, Runs(session).list_by_job(job_id, with_results=True))


@router.get(
    "/{job_id}/stability.csv",
    summary="Report the runs of a job as CSV",
    response_class=Response,
    responses=document_errors(JobNotFound)
    | {200: {"content": {"text/csv": {}}, "description": "One row per run, by index."}},
)
def stability_csv(services: ServicesDep, job_id: JobIdPath) -> Response:
    """Return the report's runs as a table; undefined numbers are empty cells."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        report = build_report(job, Runs(session).list_by_job(job_id))
    text = io.StringIO()
    table = csv.DictWriter(text, list(ReportedRun.model_fields))
    table.writeheader()
    table.writerows(run.model_dump(mode="json") for run in report.runs)
    disposition = f'attachment; filename="{job_id}-stability.csv"'
    return Response(
        text.getvalue(), media_type="text/csv", headers={"content-disposition": disposition}
    )


@router.get(
    "/{job_id}/stability.html",
    summary="Report the stability of a job as a page",
    response_class=HTMLResponse,
    responses=document_errors(JobNotFound, ServiceBusy, ServiceUnavailable)
    | {200: {"content": {"text/html": {}}, "description": "A self-contained page with figures."}}
    | UNCHANGED_PAGE,
)
async def stability_html(
    services: ServicesDep, job_id: JobIdPath, if_none_match: IfNoneMatchHeader = None
) -> Response:
    """Return the report as a self-contained page with figures; it loads and runs no scripts.

    It needs only the job's rows, so it outlives the files and the models. The page of an ended job
    is drawn once; while runs are open, it may be a few seconds old.
    """
    return await respond_with_page(services, build_source(services, job_id, "html"), if_none_match)


@router.get(
    "/{job_id}/stability.png",
    summary="Report the scores of a job as a picture",
    response_class=Response,
    responses=document_errors(JobNotFound, ServiceBusy, ServiceUnavailable)
    | {200: {"content": {"image/png": {}}, "description": "The figure of every seed's score."}}
    | UNCHANGED_PAGE,
)
async def stability_png(
    services: ServicesDep, job_id: JobIdPath, if_none_match: IfNoneMatchHeader = None
) -> Response:
    """Return the figure of every seed's score as a PNG, kept like the page."""
    return await respond_with_page(services, build_source(services, job_id, "png"), if_none_match)
