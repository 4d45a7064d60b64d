"""What the report of a job is made of, and its parts for the page of the job."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.reports.drawing import PageSource
from api.reports.page_process import Drawing, PageFormat
from api.reports.sections import read_section
from shared.db.jobs import Jobs
from shared.db.tables import Job
from shared.report.page import JobSection


def get_section(services: AppServices, job_id: str) -> JobSection:
    """Return what the page of a job shows of its report, without curves. Raises JobNotFound."""
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        return read_section(session, job, with_curves=False)


def build_source(services: AppServices, job_id: str, page_format: PageFormat) -> PageSource:
    """Return what the report of a job is made of. Reading raises JobNotFound."""

    def read_jobs(session: Session) -> Sequence[Job]:
        return [Jobs(session).get(job_id, services.owner_id)]

    def read_drawing(session: Session, jobs: Sequence[Job]) -> Drawing:
        return Drawing([read_section(session, job) for job in jobs], format=page_format)

    return PageSource(job_id, page_format, read_jobs, read_drawing)
