"""What the page of a stored comparison shows: its verdicts, and the reports of its jobs."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.comparisons.service import get_preset
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
from shared.report.page import JobSection


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
        names = [(job.preset, job.job_id) for job in comparison.jobs]
        sections = read_sections(session, jobs, comparison.metric, names=names)
        return Drawing(sections, comparison, page_format)

    return PageSource(comparison_id, page_format, read_jobs, read_drawing)


def read_sections(
    session: Session,
    jobs: Sequence[Job],
    metric: str | None,
    *,
    names: Sequence[tuple[str, str]] | None = None,
    with_curves: bool = True,
) -> list[JobSection]:
    """Read the sections of compared jobs. ``names`` are the preset and the ID of all jobs of the
    comparison, of which some may have been deleted since; by default those of the jobs.
    """
    named = [(get_preset(job), job.id) for job in jobs] if names is None else names
    titles = dict(zip((job_id for _, job_id in named), build_titles(named), strict=True))
    return [
        read_section(session, job, title=titles[job.id], metric=metric, with_curves=with_curves)
        for job in jobs
    ]


def _read_comparison(session: Session, services: AppServices, comparison_id: str) -> Comparison:
    return Comparison(**dict(Comparisons(session, services.owner_id).get(comparison_id).result))


def _find_job(session: Session, services: AppServices, job_id: str) -> Job | None:
    try:
        return Jobs(session).get(job_id, services.owner_id)
    except JobNotFound:  # deleted since the comparison
        return None
