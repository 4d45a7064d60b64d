"""A comparison of jobs as they stand now, which is not stored, and its figures."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from api.comparisons.page import read_sections
from api.comparisons.schemas import ComparisonRequest
from api.comparisons.service import compare_jobs, list_comparable_jobs
from api.dependencies import AppServices
from api.jobs.presenting.presenter import present_jobs
from api.jobs.schemas import JobObject
from api.reports.drawing import PageSource
from api.reports.page_process import Drawing
from shared.db.tables import Job
from shared.report.comparison import Comparison
from shared.report.page import JobSection


class LiveComparison(NamedTuple):
    """A comparison with its jobs, in the requested order."""

    jobs: Sequence[JobObject]
    comparison: Comparison
    sections: Sequence[JobSection]
    """The reports of the jobs, without curves."""


def read_live_comparison(services: AppServices, request: ComparisonRequest) -> LiveComparison:
    """Compare jobs as they stand now. Raises JobNotFound, JobsNotComparable."""
    with services.database.read() as session:
        jobs = list_comparable_jobs(session, services.owner_id, request.job_ids)
        comparison = compare_jobs(session, services.owner_id, request)
        sections = read_sections(session, jobs, comparison.metric, with_curves=False)
        return LiveComparison(present_jobs(session, jobs), comparison, sections)


def build_live_source(services: AppServices, request: ComparisonRequest) -> PageSource:
    """Return what the figures of these jobs are made of. Reading raises JobNotFound, and
    JobsNotComparable.
    """

    def read_jobs(session: Session) -> Sequence[Job]:
        return list_comparable_jobs(session, services.owner_id, request.job_ids)

    def read_drawing(session: Session, jobs: Sequence[Job]) -> Drawing:
        sections = read_sections(session, jobs, request.metric, with_curves=False)
        return Drawing(sections, format="figures")

    named = " ".join([*request.job_ids, request.metric or ""])
    digest = hashlib.blake2b(named.encode(), digest_size=16).hexdigest()
    return PageSource(f"compared-{digest}", "figures", read_jobs, read_drawing)
