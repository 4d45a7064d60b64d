"""Usage: what was trained in a period, and what takes the room in the storage."""

import time
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from api.operations.schemas import StorageUsage, StoredItem
from api.operations.usage import list_job_usage, measure_storage, summarize_usage
from api.pages.page import Page, PageDep
from api.pages.screens import NavigationEntry
from shared.domain.errors import ServiceError
from shared.infra.storage_errors import StorageUnavailable

router = APIRouter()
NAVIGATION = NavigationEntry("Usage", "/usage", order=60)
DAY_S: Final = 24 * 3600
PERIODS: Final = (1, 7, 30, 90, 365)
"""Days, counted back from now."""
DEFAULT_ITEMS: Final = 50
SHOWN_JOBS: Final = 20
MAX_ITEMS: Final = 1000
KIND_NAMES: Final[Mapping[str, str]] = {
    "model": "model",
    "file": "file",
    "upload": "pending upload",
    "runs": "runs of a job",
}

DaysQuery = Annotated[int, Query(ge=1, le=3650)]
ItemsQuery = Annotated[int, Query(alias="items", ge=1, le=MAX_ITEMS)]


class ItemRow(NamedTuple):
    """Something that takes room: where it is shown, and where it can be deleted."""

    item: StoredItem
    kind: str
    path: str | None
    delete_path: str | None


@router.get("/usage")
async def show_usage(
    page: PageDep, days: DaysQuery = 30, count: ItemsQuery = DEFAULT_ITEMS
) -> Response:
    """Show the usage of a period, and the largest items of the storage."""
    storage, error = None, None
    try:
        storage = await page.services.heavy.plans.run(
            page.services.owner_id, measure_storage, page.services, count
        )
    except ServiceError as refused:
        error = refused.message
    except StorageUnavailable as away:  # the rest of the page does without
        error = f"{away} Retry shortly."
    return await run_in_threadpool(_render_usage, page, days, count, storage, error)


def _render_usage(
    page: Page, days: int, count: int, storage: StorageUsage | None, error: str | None
) -> Response:
    end = int(time.time()) // 60 * 60 + 60  # a page without news has the same ETag for a minute
    rows = [] if storage is None else [_build_item_row(item) for item in storage.data]
    start = max(0, end - days * DAY_S)
    return page.render(
        "usage/usage.html.j2",
        usage=summarize_usage(page.services, start, end),
        jobs=list_job_usage(page.services, start, end, SHOWN_JOBS),
        shown_jobs=SHOWN_JOBS,
        days=days,
        periods=PERIODS,
        storage=storage,
        rows=rows,
        largest=max((item.bytes for item in storage.data), default=1) if storage else 1,
        more=min(MAX_ITEMS, count * 4),
        error=error,
    )


def _build_item_row(item: StoredItem) -> ItemRow:
    name = quote(item.id, safe="")
    job_path = None if item.job_id is None else f"/jobs/{item.job_id}"
    paths: Mapping[str, tuple[str | None, str | None]] = {
        "model": (job_path, f"/models/delete?model={name}"),
        "file": (f"/files/{name}", f"/files/{name}/delete"),
        "upload": (None, None),
        "runs": (job_path, f"/jobs/{name}/delete"),
    }
    return ItemRow(item, KIND_NAMES[item.kind], *paths[item.kind])
