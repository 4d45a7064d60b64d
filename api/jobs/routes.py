"""/v1/fine_tuning/jobs: create, retrieve, list, events, checkpoints."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.concurrency import run_in_threadpool

from api import hub
from api.dependencies import AppServices, ServicesDep, create_page_dependency
from api.errors import document_errors
from api.jobs import service
from api.jobs.event_schemas import CheckpointObject, DeliveryObject, EventObject
from api.jobs.idempotency import RequestIdentityDep
from api.jobs.planning.dry_run import DryRun, plan_dry_run
from api.jobs.presenting.event_stream import open_event_stream
from api.jobs.schemas import JobObject, JobRequest
from api.pagination import Listing, build_listing
from api.unknown_params import METADATA_PARAMETER, read_metadata_filter
from shared.db.deliveries import Deliveries
from shared.db.events import EVENT_ID, Events
from shared.db.jobs import Jobs
from shared.db.models import Checkpoints
from shared.db.pagination import Page
from shared.db.runs import Runs
from shared.db.tables import Checkpoint, WebhookDelivery
from shared.domain.errors import (
    FileNotFound,
    IdempotencyKeyReused,
    InvalidRequest,
    InvalidValue,
    JobNotFound,
    ModelInUse,
    ModelNotAllowed,
    TooManyStreams,
)
from shared.domain.naming import checkpoint_model_id, model_id

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])


@router.post(
    "",
    responses=document_errors(
        InvalidValue,
        ModelNotAllowed,
        ModelInUse,
        IdempotencyKeyReused,
        FileNotFound,
        *hub.HUB_ERRORS,
    ),
)
def create_job(
    services: ServicesDep,
    request: JobRequest,
    identity: RequestIdentityDep,
    dry_run: Annotated[
        bool, Query(description="Say what the job would be, and store no job.")
    ] = False,
) -> JobObject | DryRun:
    """Create a job: its recipe is resolved and stored, one run a seed is queued. A re-sent
    creation makes no second job.

    With `dry_run`, here or in the body, no job is stored: the answer says how the request was
    understood, which runs it comes to and about how long they would take. A data set of the hub
    (`hf://…`) is fetched for it, too, and stays as a file.
    """
    if dry_run or request.dry_run:
        return plan_dry_run(services, request)
    return service.create_job(services, request, identity)


@router.get("", responses=document_errors(), openapi_extra={"parameters": [METADATA_PARAMETER]})
def list_jobs(
    services: ServicesDep,
    page: Annotated[Page, Depends(create_page_dependency(20, 100))],
    metadata: Annotated[dict[str, str] | None, Depends(read_metadata_filter)],
) -> Listing[JobObject]:
    """The jobs, newest first; `metadata[key]=value` keeps those that carry it, `metadata=null`
    those without any.
    """
    jobs, more = service.list_jobs(services, page, metadata)
    return build_listing(jobs, more)


@router.get(
    "/{job_id}",
    response_model=JobObject,
    responses=document_errors(JobNotFound)
    | {304: {"description": "Nothing has changed since the answer with this `ETag`."}},
)
async def retrieve_job(
    services: ServicesDep,
    job_id: str,
    if_none_match: Annotated[
        str | None, Header(max_length=1000, description="`ETag` of an answer before.")
    ] = None,
) -> Response:
    """The job with its progress and the numbers of its report so far.

    Cheap to poll: send the last answer's `ETag` as `If-None-Match`, and as long as nothing has
    changed the answer is an empty 304.
    """
    job = await services.job_cache.get_job(services.database, job_id, services.owner_id)
    headers = {"etag": job.etag, "cache-control": "private, no-cache"}
    if job.is_not_modified(if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(job.body, media_type="application/json", headers=headers)


@router.get(
    "/{job_id}/events",
    response_model=Listing[EventObject],
    responses=document_errors(JobNotFound, TooManyStreams)
    | {
        200: {
            "content": {"text/event-stream": {}},
            "description": "A page of events, or with `stream` all as they come.",
        },
        204: {"description": "The job has ended, and there is no event after `Last-Event-ID`."},
    },
)
async def list_events(
    services: ServicesDep,
    job_id: str,
    page: Annotated[Page, Depends(create_page_dependency(20, 1000))],
    stream: Annotated[
        bool, Query(description="Server-sent events, oldest first, until the job has ended.")
    ] = False,
    last_event_id: Annotated[
        str | None,
        Header(
            pattern=EVENT_ID,
            description="With `stream`: only what came after this event, by its id.",
        ),
    ] = None,
) -> Any:
    """What happened, newest first.

    With `stream=true` the same as server-sent events from the oldest on: `event` is the event's
    type, `data` its object, and when the job has ended a last `event: done` comes. A client
    that sends the last id it saw as `Last-Event-ID` misses nothing.
    """
    if stream:
        if page.after is not None:
            raise InvalidRequest(
                "A stream is begun anew by the header Last-Event-ID, not by after.", param="after"
            )
        return await open_event_stream(
            services.database, services.stream_limiter, job_id, services.owner_id, last_event_id
        )
    return await run_in_threadpool(_list_event_page, services, job_id, page)


def _list_event_page(services: AppServices, job_id: str, page: Page) -> Listing[EventObject]:
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        events, more = Events(session).page(job_id, page)
    return build_listing([EventObject.from_row(event) for event in events], more)


@router.get("/{job_id}/checkpoints", responses=document_errors(JobNotFound))
def list_checkpoints(
    services: ServicesDep,
    job_id: str,
    page: Annotated[Page, Depends(create_page_dependency(10, 1000))],
) -> Listing[CheckpointObject]:
    """The checkpoints that are kept: each run's best until the job ends, then the published
    run's.
    """
    with services.database.read() as session:
        job = Jobs(session).get(job_id, services.owner_id)
        checkpoints, more = Checkpoints(session).page(job_id, page)
        seeds = {run.id: run.seed for run in Runs(session).of_job(job_id)}
    model = model_id(job.model, job.owner_id, job.suffix, job.id)
    return build_listing(
        [
            _build_checkpoint_object(checkpoint, model, seeds[checkpoint.run_id])
            for checkpoint in checkpoints
        ],
        more,
    )


@router.get("/{job_id}/webhook_deliveries", responses=document_errors(JobNotFound))
def list_webhook_deliveries(
    services: ServicesDep,
    job_id: str,
    page: Annotated[Page, Depends(create_page_dependency(20, 100))],
) -> Listing[DeliveryObject]:
    """What became of the notices to the job's webhook, newest first."""
    with services.database.read() as session:
        Jobs(session).get(job_id, services.owner_id)
        deliveries, more = Deliveries(session).page(job_id, page)
    return build_listing([_build_delivery_object(delivery) for delivery in deliveries], more)


def _build_delivery_object(delivery: WebhookDelivery) -> DeliveryObject:
    next_attempt, delivered = delivery.next_attempt_at, delivery.delivered_at
    plain = ("id", "type", "status", "attempts", "response_status", "error")
    return DeliveryObject(
        **{name: getattr(delivery, name) for name in plain},
        next_attempt_at=None if next_attempt is None else int(next_attempt),
        created_at=int(delivery.created_at),
        delivered_at=None if delivered is None else int(delivered),
    )


def _build_checkpoint_object(checkpoint: Checkpoint, model: str, seed: int) -> CheckpointObject:
    return CheckpointObject(
        id=checkpoint.id,
        created_at=int(checkpoint.created_at),
        fine_tuned_model_checkpoint=checkpoint_model_id(model, seed, checkpoint.step),
        fine_tuning_job_id=checkpoint.job_id,
        step_number=checkpoint.step,
        metrics=checkpoint.metrics,
        run_id=checkpoint.run_id,
        seed=seed,
    )
