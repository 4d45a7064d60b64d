"""Routes /v1/queue and /v1/usage: what the workers do now, and what they have done."""

import time
from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.operations.queue import read_queue
from api.operations.schemas import Queue, StorageUsage, Usage
from api.operations.usage import measure_storage, summarize_usage
from shared.domain.errors import InvalidValue, ServiceUnavailable
from shared.domain.limit_errors import ServiceBusy

router = APIRouter(prefix="/v1", tags=["operations"])
DEFAULT_PERIOD_S = 30 * 24 * 3600
MAX_UNIX_TIME = 10_000_000_000

StartTimeQuery = Annotated[
    int | None,
    Query(
        ge=0,
        le=MAX_UNIX_TIME,
        description="Start of the period, Unix seconds; default: 30 days before its end.",
    ),
]
EndTimeQuery = Annotated[
    int | None,
    Query(
        ge=0,
        le=MAX_UNIX_TIME,
        description="End of the period (exclusive), Unix seconds; default: now.",
    ),
]


@router.get("/queue", summary="Show the queue", responses=document_errors())
def queue(services: ServicesDep) -> Queue:
    """Return the number of your waiting runs, your runs in training, and, to a key with the scope
    `admin`, the load of the installation and its workers.
    """
    return read_queue(services, with_messages=True)


@router.get("/usage", summary="Summarize usage", responses=document_errors(InvalidValue))
def usage(
    services: ServicesDep, start_time: StartTimeQuery = None, end_time: EndTimeQuery = None
) -> Usage:
    """Return the training done in a period, and the storage used now."""
    start, end = _resolve_period(start_time, end_time)
    return summarize_usage(services, start, end)


@router.get(
    "/usage/storage",
    summary="Show what takes the room",
    responses=document_errors(ServiceBusy, ServiceUnavailable),
)
async def storage_usage(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of items.")] = 100,
) -> StorageUsage:
    """Return your models, files and runs in the storage, the largest first.

    A large storage is not measured anew by each request: what is new in it may be missing for ten
    times as long as a listing of it takes.
    """
    return await services.heavy.plans.run(services.owner_id, measure_storage, services, limit)


def _resolve_period(start_time: int | None, end_time: int | None) -> tuple[int, int]:
    end = int(time.time()) + 1 if end_time is None else end_time
    start = max(0, end - DEFAULT_PERIOD_S) if start_time is None else start_time
    if start >= end:
        raise InvalidValue("start_time must be before end_time.", param="start_time")
    return start, end
