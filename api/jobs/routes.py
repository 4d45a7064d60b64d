"""Routes below /v1/fine_tuning/jobs that create and read jobs."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.concurrency import run_in_threadpool

from api import hub
from api.dependencies import AppServices, ServicesDep, create_page_dependency
from api.errors import document_errors
from api.etag import IfNoneMatchHeader, add_etag
from api.jobs import creation, service
from api.jobs.event_schemas import CheckpointObject, DeliveryObject, EventObject
from api.jobs.planning.dry_run import plan_dry_run
from api.jobs.planning.dry_run_schemas import DryRun
from api.jobs.presenting.event_stream import open_event_stream
from api.jobs.request_identity import RequestIdentityDep
from api.jobs.request_schemas import JobRequest
from api.jobs.schemas import JobObject
from api.pagination import Listing, build_listing
from api.path_parameters import JobIdPath
from api.unknown_params import METADATA_PARAMETER, read_metadata_filter
from shared.db.deliveries import Deliveries
from shared.db.events import EVENT_ID_PATTERN
from shared.db.jobs import Jobs
from shared.db.metrics import Metrics
from shared.db.models import Checkpoints
from shared.db.pagination import PageRequest
from shared.db.runs import Runs
from shared.domain.errors import (
    FileNotFound,
    IdempotencyKeyReused,
    InvalidRequest,
    InvalidValue,
    JobNotFound,
    ModelInUse,
    ModelNotAllowed,
)
from shared.domain.limit_errors import FILE_LIMITS, JOB_LIMITS, OwnerStreamsLimit, TooManyStreams
from shared.domain.naming import build_model_id

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])

StreamQuery = Annotated[
    bool, Query(description="Send server-sent events, oldest first, until the job has ended.")
]
LastEventIdHeader = Annotated[
    str | None,
    Header(
        pattern=EVENT_ID_PATTERN,
        description="With `stream`: ID of the last received event; only later events are sent.",
    ),
]


@router.post(
    "",
    responses=document_errors(
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
async def create_job(
    services: ServicesDep,
    request: JobRequest,
    identity: RequestIdentityDep,
    dry_run: Annotated[
        bool, Query(description="Return the plan of the job without creating it.")
    ] = False,
) -> JobObject | DryRun:
    """Create a job: resolve and store its recipe, and queue one run per seed.

    A repeated request returns the job that the first one created. With `dry_run`, as a parameter or
    in the body, no job is created: the response has the resolved settings, the runs and their
    estimated duration. A dry run also downloads data sets of the hub (`hf://…`), and they remain as
    files.
    """
    if dry_run or request.dry_run:
        return await services.heavy.plans.run(services.owner_id, plan_dry_run, services, request)
    return await services.heavy.jobs.run(
        services.owner_id, creation.create_job, services, request, identity
    )


@router.get("", responses=document_errors(), openapi_extra={"parameters": [METADATA_PARAMETER]})
def list_jobs(
    services: ServicesDep,
    page: Annotated[PageRequest, Depends(create_page_dependency(20, 100))],
    metadata: Annotated[dict[str, str] | None, Depends(read_metadata_filter)],
) -> Listing[JobObject]:
    """List jobs, newest first.

    `metadata[key]=value` selects jobs with that pair, `metadata=null` selects jobs without
    metadata.
    """
    jobs, has_more = service.list_jobs(services, page, metadata)
    return build_listing(jobs, has_more)


@router.get(
    "/{job_id}",
    response_model=JobObject,
    responses=document_errors(JobNotFound)
    | {304: {"description": "The job has not changed since the response with this `ETag`."}},
)
async def retrieve_job(
    services: ServicesDep,
    job_id: JobIdPath,
    if_none_match: IfNoneMatchHeader = None,
) -> Response:
    """Return the job with its progress and the numbers of its report so far.

    To poll cheaply, send the `ETag` of the last response as `If-None-Match`: while nothing has
    changed, the response is an empty 304.
    """
    job = await services.job_cache.get_job(services.database, job_id, services.owner_id)
    return add_etag(Response(job.body, media_type="application/json"), job.etag, if_none_match)


@router.get(
    "/{job_id}/events",
    response_model=Listing[EventObject],
    responses=document_errors(JobNotFound, TooManyStreams, OwnerStreamsLimit)
    | {
        200: {
            "content": {"text/event-stream": {}},
            "description": "A page of events; with `stream`, a stream of events as they happen.",
        },
        204: {"description": "The job has ended and has no event after `Last-Event-ID`."},
    },
)
async def list_events(
    services: ServicesDep,
    job_id: JobIdPath,
    page: Annotated[PageRequest, Depends(create_page_dependency(20, 1000))],
    stream: StreamQuery = False,
    last_event_id: LastEventIdHeader = None,
) -> Response | Listing[EventObject]:
    """List the events of a job, newest first.

    With `stream=true` they are sent as server-sent events, oldest first: `event` is the type of the
    event, `data` its object. A final `event: done` follows once the job has ended, and a final
    `event: error` with the error once the key has been revoked or has expired. A client that
    reconnects with the last received ID as `Last-Event-ID` misses no event.
    """
    if not stream:
        return await run_in_threadpool(_list_event_page, services, job_id, page)
    _require_no_cursor(page)
    return await open_event_stream(
        services.database,
        services.stream_limiter,
        job_id,
        services.owner_id,
        last_event_id,
        partial(services.key_directory.require_access, services.caller),
    )


def _require_no_cursor(page: PageRequest) -> None:
    if page.after is not None:
        raise InvalidRequest(
            "after does not apply to a stream; to resume one, send the header Last-Event-ID.",
            param="after",
        )


def _list_event_page(services: AppServices, job_id: str, page: PageRequest) -> Listing[EventObject]:
    events, has_more = service.list_events(services, job_id, page)
    return build_listing(events, has_more)


@router.get("/{job_id}/checkpoints", responses=document_errors(JobNotFound))
def list_checkpoints(
    services: ServicesDep,
    job_id: JobIdPath,
    page: Annotated[PageRequest, Depends(create_page_dependency(10, 1000))],
) -> Listing[CheckpointObject]:
    """List the checkpoints of the models that the job keeps.

    Each is the chosen checkpoint of a run, and its ID can be used as the model's. The list is empty
    until the job has ended.
    """
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        checkpoints, has_more = Checkpoints(session).list_page(job_id, page)
        steps = {checkpoint.run_id: checkpoint.step for checkpoint in checkpoints}
        runs = {run.id: run for run in Runs(session).list_by_ids(list(steps))}
        losses = Metrics(session).get_values_at_steps(steps, "train_loss")
    model = build_model_id(job.model, job.owner_id, job.suffix, job.id)
    objects = [
        CheckpointObject.from_row(row, model, runs[row.run_id], losses.get(row.run_id))
        for row in checkpoints
    ]
    return build_listing(objects, has_more)


@router.get("/{job_id}/webhook_deliveries", responses=document_errors(JobNotFound))
def list_webhook_deliveries(
    services: ServicesDep,
    job_id: JobIdPath,
    page: Annotated[PageRequest, Depends(create_page_dependency(20, 100))],
) -> Listing[DeliveryObject]:
    """List the deliveries to the job's webhook, newest first."""
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        deliveries, has_more = Deliveries(session).list_page(job_id, page)
    return build_listing([DeliveryObject.from_row(delivery) for delivery in deliveries], has_more)
