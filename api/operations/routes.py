"""Routes /v1/queue and /v1/usage: what the workers do now, and what they have done."""

import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import AppServices, ServicesDep
from api.errors import document_errors
from api.operations.queue import read_queue
from api.operations.schemas import (
    ModelUsage,
    Queue,
    StorageUsage,
    StoredItem,
    Usage,
)
from shared.db import usage as usage_rows
from shared.db.storage_sizes import list_stored_items
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
    with services.database.read() as session:
        usage_by_model = usage_rows.list_model_usage(session, services.owner_id, start, end)
        stored = usage_rows.get_storage_usage(session, services.owner_id)
    return _build_usage(start, end, usage_by_model, stored)


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
    return await services.heavy.plans.run(services.owner_id, _measure_storage, services, limit)


def _measure_storage(services: AppServices, limit: int) -> StorageUsage:
    sizes = services.recent_sizes.get_sizes(services.storage)
    with services.database.read() as session:
        items = list_stored_items(session, services.owner_id, sizes)
    return StorageUsage(
        bytes=sum(item.bytes for item in items),
        items=len(items),
        data=[StoredItem(**item._asdict()) for item in items[:limit]],
    )


def _build_usage(
    start: int,
    end: int,
    usage_by_model: Sequence[usage_rows.ModelUsage],
    stored: usage_rows.StorageUsage,
) -> Usage:
    data = [
        ModelUsage(**{**row._asdict(), "seconds": round(row.seconds, 3)}) for row in usage_by_model
    ]
    return Usage(
        start_time=start,
        end_time=end,
        runs=sum(row.runs for row in data),
        trained_tokens=sum(row.trained_tokens for row in data),
        seconds=round(sum(row.seconds for row in data), 3),
        data=data,
        files=stored.files,
        file_bytes=stored.bytes,
    )


def _resolve_period(start_time: int | None, end_time: int | None) -> tuple[int, int]:
    end = int(time.time()) + 1 if end_time is None else end_time
    start = max(0, end - DEFAULT_PERIOD_S) if start_time is None else start_time
    if start >= end:
        raise InvalidValue("start_time must be before end_time.", param="start_time")
    return start, end
