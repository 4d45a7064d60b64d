"""What the page of a stored comparison shows: its verdicts, and the reports of its jobs."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.reports.drawing import PageSource
from api.reports.page_process import Drawing, PageFormat
from api.reports.sections import read_section
from shared.db.comparisons import Comparisons
from shared.db.jobs import Jobs
from shared.db.tables import Job
from shared.domain.errors import JobNotFound
from shared.report.comparison import Comparison
from shared.report.comparison.titles import build_titles


def build_source(services: AppServices, comparison_id: str, page_format: PageFormat) -> PageSource:
    """Return what the comparison's page or figure is made of.

    A deleted job has no section, and the numbers of the comparison. Reading raises
    ComparisonNotFound; for the figure also JobNotFound once all of its jobs have been deleted.
    """

    def read_jobs(session: Session) -> Sequence[Job]:
        comparison = _read_comparison(session, services, comparison_id)
        found = [_find_job(session, services, compared.job_id) for compared in comparison.jobs]
        jobs = [job for job in found if job is not None]
        if page_format == "png" and not jobs:
            raise JobNotFound(
                f"The jobs of comparison {comparison_id} have been deleted, so there is nothing "
                "to draw; its page still has the numbers.",
                param="comparison_id",
            )
        return jobs

    def read_drawing(session: Session, jobs: Sequence[Job]) -> Drawing:
        comparison = _read_comparison(session, services, comparison_id)
        job_ids = [job.job_id for job in comparison.jobs]
        titles = build_titles([(job.preset, job.job_id) for job in comparison.jobs])
        title_by_job = dict(zip(job_ids, titles, strict=True))
        sections = [
            read_section(session, job, title=title_by_job[job.id], metric=comparison.metric)
            for job in jobs
        ]
        return Drawing(sections, comparison, page_format)

    return PageSource(comparison_id, page_format, read_jobs, read_drawing)


def _read_comparison(session: Session, services: AppServices, comparison_id: str) -> Comparison:
    return Comparison(**dict(Comparisons(session, services.owner_id).get(comparison_id).result))


def _find_job(session: Session, services: AppServices, job_id: str) -> Job | None:
    try:
        return Jobs(session).get(job_id, services.owner_id)
    except JobNotFound:  # deleted since the comparison
        return None
