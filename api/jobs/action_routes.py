"""/v1/fine_tuning/jobs/{job_id}/…: cancel, pause, resume, extend, clone, delete."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from api import hub
from api.dependencies import ServicesDep
from api.errors import document_errors
from api.jobs import deletion, pausing, service
from api.jobs.clone import build_clone_request, compute_clone_digest
from api.jobs.extend import extend_with_seeds
from api.jobs.idempotency import RequestIdentityDep
from api.jobs.planning.dry_run import DryRun, plan_dry_run
from api.jobs.run_schemas import ExtendRequest
from api.jobs.schemas import CloneRequest, JobObject
from shared.domain.errors import (
    FileNotFound,
    IdempotencyKeyReused,
    InvalidValue,
    JobAlreadyEnded,
    JobNotEnded,
    JobNotExtendable,
    JobNotFound,
    ModelInUse,
    ModelNotAllowed,
)

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


class JobDeleted(BaseModel):
    """The job is gone, with all that came of it."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    deleted: Literal[True] = True


@router.post("/{job_id}/cancel", responses=document_errors(JobNotFound, JobAlreadyEnded))
def cancel_job(services: ServicesDep, job_id: str) -> JobObject:
    """Stop the job; what its finished runs have shown is kept, nothing is published."""
    return service.cancel_job(services, job_id)


@router.post("/{job_id}/pause", responses=document_errors(JobNotFound, JobAlreadyEnded))
def pause_job(services: ServicesDep, job_id: str) -> JobObject:
    """Have the job wait: none of its runs is begun, and those in training are stopped and wait
    too, until it is resumed.

    A job that is paused already is answered as it is.
    """
    return pausing.pause_job(services, job_id)


@router.post("/{job_id}/resume", responses=document_errors(JobNotFound, JobAlreadyEnded))
def resume_job(services: ServicesDep, job_id: str) -> JobObject:
    """Go on with a paused job. One that is not paused is answered as it is."""
    return pausing.resume_job(services, job_id)


@router.post(
    "/{job_id}/extend",
    responses=document_errors(
        JobNotFound,
        JobNotExtendable,
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
        IdempotencyKeyReused,
    ),
)
def extend_job(
    services: ServicesDep, job_id: str, request: ExtendRequest, identity: RequestIdentityDep
) -> JobObject:
    """Add runs from further seeds to a job, open or ended, without redoing any; at its end the
    best of all is published.

    A re-sent request adds them once, as for creations.
    """
    return extend_with_seeds(services, job_id, request, identity)


@router.post(
    "/{job_id}/clone",
    responses=document_errors(
        JobNotFound,
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
        IdempotencyKeyReused,
        FileNotFound,
        *hub.HUB_ERRORS,
    ),
)
def clone_job(
    services: ServicesDep,
    job_id: str,
    identity: RequestIdentityDep,
    changes: CloneRequest | None = None,
) -> JobObject | DryRun:
    """Create a new job from the request of this one; a field given in the body takes the place
    of that job's.

    What was automatic is found out anew. A re-sent request makes no second copy, as for
    creations.
    """
    request = build_clone_request(services, job_id, changes or CloneRequest())
    if request.dry_run:
        return plan_dry_run(services, request)
    digest = compute_clone_digest(job_id, request)
    return service.create_job(services, request, identity, digest=digest)


@router.delete("/{job_id}", responses=document_errors(JobNotFound, JobNotEnded, ModelInUse))
def delete_job(services: ServicesDep, job_id: str) -> JobDeleted:
    """Delete an ended job with its runs, series, events, published model and result files. The
    files it was trained on stay.
    """
    deletion.delete_job(services, job_id)
    return JobDeleted(id=job_id)
