"""Routes of a single job's actions: cancel, pause, resume, extend, clone, delete."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from api import hub
from api.dependencies import ServicesDep
from api.errors import document_errors
from api.jobs import creation, deletion, pausing, service
from api.jobs.clone import build_clone_request, compute_clone_digest
from api.jobs.extend import extend_with_seeds
from api.jobs.planning.dry_run import plan_dry_run
from api.jobs.planning.dry_run_schemas import DryRun
from api.jobs.request_identity import RequestIdentityDep
from api.jobs.request_schemas import CloneRequest
from api.jobs.run_schemas import ExtendRequest
from api.jobs.schemas import JobObject
from api.path_parameters import JobIdPath
from shared.domain.errors import (
    BaseModelChanged,
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
from shared.domain.limit_errors import FILE_LIMITS, JOB_LIMITS, ServiceBusy

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


class JobDeleted(BaseModel):
    """Confirmation that a job was deleted."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the deleted job."""
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    """Always `fine_tuning.job`."""
    deleted: Literal[True] = True
    """Always true."""


@router.post(
    "/{job_id}/cancel", responses=document_errors(JobNotFound, JobAlreadyEnded, ServiceBusy)
)
async def cancel_job(services: ServicesDep, job_id: JobIdPath) -> JobObject:
    """Cancel the job; the results of its finished runs are kept, and no model is published."""
    return await services.heavy.stops.run(services.owner_id, service.cancel_job, services, job_id)


@router.post(
    "/{job_id}/pause", responses=document_errors(JobNotFound, JobAlreadyEnded, ServiceBusy)
)
async def pause_job(services: ServicesDep, job_id: JobIdPath) -> JobObject:
    """Pause the job: stop its runs in training, and start no run until the job is resumed.

    Pausing a paused job has no effect.
    """
    return await services.heavy.stops.run(services.owner_id, pausing.pause_job, services, job_id)


@router.post("/{job_id}/resume", responses=document_errors(JobNotFound, JobAlreadyEnded))
def resume_job(services: ServicesDep, job_id: JobIdPath) -> JobObject:
    """Resume a paused job. Resuming a job that is not paused has no effect."""
    return pausing.resume_job(services, job_id)


@router.post(
    "/{job_id}/extend",
    responses=document_errors(
        JobNotFound,
        JobNotExtendable,
        BaseModelChanged,
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
        IdempotencyKeyReused,
        *JOB_LIMITS,
    ),
)
def extend_job(
    services: ServicesDep, job_id: JobIdPath, request: ExtendRequest, identity: RequestIdentityDep
) -> JobObject:
    """Add runs with further seeds to an open or ended job; its existing runs are kept.

    When the job ends again, its model is published anew from all its runs. A repeated request adds
    the runs only once.
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
        *FILE_LIMITS,
        *JOB_LIMITS,
    ),
)
async def clone_job(
    services: ServicesDep,
    job_id: JobIdPath,
    identity: RequestIdentityDep,
    changes: CloneRequest | None = None,
) -> JobObject | DryRun:
    """Create a new job from this job's request; fields in the body replace the original ones.

    Automatic settings are chosen again. A repeated request returns the job that the first one
    created.
    """
    request = await run_in_threadpool(
        build_clone_request, services, job_id, changes or CloneRequest()
    )
    if request.dry_run:
        return await services.heavy.plans.run(services.owner_id, plan_dry_run, services, request)
    digest = compute_clone_digest(job_id, request)
    return await services.heavy.jobs.run(
        services.owner_id, creation.create_job, services, request, identity, digest
    )


@router.delete("/{job_id}", responses=document_errors(JobNotFound, JobNotEnded, ModelInUse))
def delete_job(services: ServicesDep, job_id: JobIdPath) -> JobDeleted:
    """Delete an ended job with its runs, metrics, events, published model and result files.

    The data files that it was trained on remain.
    """
    deletion.delete_job(services, job_id)
    return JobDeleted(id=job_id)
