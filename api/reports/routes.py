"""Routes below /v1/fine_tuning/jobs/{job_id} for the stability report: JSON, CSV, HTML."""

import csv
import io

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.path_parameters import JobIdPath
from api.reports.html_page import render_report_page
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.domain.errors import JobNotFound, ServiceBusy, ServiceUnavailable
from shared.report import StabilityReport
from shared.report.builder import build_full_report, build_report
from shared.report.schemas import ReportedRun

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["reports"])

_PAGE_HEADERS = {
    # only inline styles may load, whatever the names of labels and files contain
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


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
    | {200: {"content": {"text/html": {}}, "description": "A self-contained page with figures."}},
)
def stability_html(services: ServicesDep, job_id: JobIdPath) -> HTMLResponse:
    """Return the report as a self-contained page with figures; it loads and runs no scripts."""
    return HTMLResponse(render_report_page(services, job_id), headers=_PAGE_HEADERS)
