"""Create a job with its runs."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.idempotency import (
    compute_request_digest,
    find_concurrent_job,
    record_creation,
    run_once,
)
from api.jobs.planning.job_plan import plan_job
from api.jobs.request_identity import RequestIdentity
from api.jobs.request_schemas import JobRequest
from api.jobs.schemas import JobObject
from api.jobs.service import get_job
from shared.datasets import InputFile
from shared.db.events import Events
from shared.db.files import Files
from shared.db.jobs import Jobs
from shared.db.models import Models
from shared.db.tables import Job, Run
from shared.domain.naming import FINE_TUNED_PREFIX
from shared.domain.states import Purpose


def create_job(
    services: AppServices, request: JobRequest, identity: RequestIdentity, digest: str | None = None
) -> JobObject:
    """Store the job and its runs in one transaction, then notify the job queue.

    A repeated request returns the job that the first one created. ``digest`` identifies the
    request; by default it is computed from the body.
    """
    request_digest = digest or compute_request_digest(request)

    def plan_and_insert() -> str:
        job, runs = plan_job(services, request)
        job.request_sha256 = request_digest
        with services.database.write() as session:
            return _insert_once(session, job, runs, identity, request_digest)

    return get_job(services, run_once(services, identity, request_digest, plan_and_insert))


def _insert_once(
    session: Session, job: Job, runs: Sequence[Run], identity: RequestIdentity, digest: str
) -> str:
    """Insert the job, unless a concurrent copy of the request has; return the job's ID."""
    concurrent = find_concurrent_job(session, job.owner_id, identity, digest)
    if concurrent is not None:
        return concurrent
    _insert_job(session, job, runs)
    record_creation(session, job, identity, digest)
    return job.id


def _insert_job(session: Session, job: Job, runs: Sequence[Run]) -> None:
    _require_inputs(session, job)
    Jobs(session).add(job, runs)
    Events(session).add(job, _describe_creation(job, runs))
    for warning in job.warnings:
        Events(session).add(job, warning.message, level="warn")


def _require_inputs(session: Session, job: Job) -> None:
    """Raise if a file or the model was deleted since the job was planned."""
    for param in InputFile:
        file_id: str | None = getattr(job, param)
        if file_id is not None:
            Files(session, job.owner_id).get(file_id, param=param, for_job=True)
    if job.model.startswith(FINE_TUNED_PREFIX):
        Models(session, job.owner_id).get_for_new_job(job.model)


def _describe_creation(job: Job, runs: Sequence[Run]) -> str:
    main_count = sum(run.purpose == Purpose.MAIN for run in runs)
    if job.resolved_recipe is not None:
        recipe = job.resolved_recipe
        return (
            f"Created: {main_count} runs of {recipe.max_steps} steps with the recipe "
            f"{recipe.preset}."
        )
    pilots = [run for run in runs if run.purpose == Purpose.PILOT]
    assert job.pilots is not None, "a job without a recipe has pilots"
    automatic = " and ".join(job.pilots.automatic)
    return (
        f"Created: {main_count} runs with the recipe {job.request.recipe.preset}. First, "
        f"{len(pilots)} pilots of {pilots[0].total_steps} steps choose {automatic}."
    )
