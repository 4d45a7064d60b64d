"""GET …/stability: the distribution over the job's runs, its primary result."""

from fastapi import APIRouter

from api.errors import problems
from api.parts import PartsDep
from shared.db.jobs import Jobs
from shared.db.runs import Runs
from shared.errors import JobNotFound
from shared.job_report import full_report
from shared.report import StabilityReport

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["reports"])


@router.get("/{job_id}/stability", responses=problems(JobNotFound))
def stability(parts: PartsDep, job_id: str) -> StabilityReport:
    """How far the model can be trusted: mean, spread, degenerate runs, every seed's score. Provisional while runs go on."""
    with parts.database.read() as session:
        job = Jobs(session).get(job_id, parts.owner_id)
        return full_report(session, job, Runs(session).of_job(job_id, results=True))
