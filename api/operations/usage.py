"""What has been trained in a period, and what takes the room in the storage."""

from collections.abc import Sequence

from api.dependencies import AppServices
from api.operations.schemas import ModelUsage, StorageUsage, StoredItem, Usage
from shared.db import usage as usage_rows
from shared.db.storage_sizes import list_stored_items


def summarize_usage(services: AppServices, start: int, end: int) -> Usage:
    """Return the training done from ``start`` to before ``end`` (Unix seconds), and the storage
    used now.
    """
    with services.database.read() as session:
        usage_by_model = usage_rows.list_model_usage(session, services.owner_id, start, end)
        stored = usage_rows.get_storage_usage(session, services.owner_id)
    return _build_usage(start, end, usage_by_model, stored)


def list_job_usage(
    services: AppServices, start: int, end: int, limit: int
) -> Sequence[usage_rows.JobUsage]:
    """Return the training done in the period by job, those that took the most time first."""
    with services.database.read() as session:
        return usage_rows.list_job_usage(session, services.owner_id, start, end, limit)


def measure_storage(services: AppServices, limit: int) -> StorageUsage:
    """Return what the caller has in the storage, the largest first. Raises StorageUnavailable."""
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
