"""The parts a request works with, made once a process and handed to the routes as annotated
dependencies.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Query, Request

from api.classifications.loaded_models import ModelServer
from api.jobs.presenting.event_stream import EventStreamLimiter
from api.jobs.presenting.job_cache import JobCache
from shared.db.pagination import Page
from shared.db.session import Database
from shared.encoders.catalogue import Catalogue
from shared.infra.broker import Bell
from shared.infra.settings import Settings
from shared.infra.storage import Storage

LOCAL_OWNER = "local"
MAX_CONCURRENT_TABLES = 2
MAX_CONCURRENT_DOWNLOADS = 4
MAX_CONCURRENT_REPORTS = 2


@dataclass(frozen=True)
class AppServices:
    settings: Settings
    database: Database
    storage: Storage
    catalogue: Catalogue
    job_queue: Bell
    model_server: ModelServer
    owner_id: str = LOCAL_OWNER
    """Whose rows a request sees; there is one owner so far, and the column is on every row."""
    table_semaphore: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(MAX_CONCURRENT_TABLES)
    )
    """Held while a table is in memory: one may be large, and a process has forty threads for
    requests.
    """

    download_semaphore: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(MAX_CONCURRENT_DOWNLOADS)
    )
    """Held while a data set comes from the hub, which may take minutes of one of the threads."""

    report_semaphore: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(MAX_CONCURRENT_REPORTS)
    )
    """Held while a report's figures are drawn, by a process of a few hundred megabytes."""

    job_cache: JobCache = field(default_factory=JobCache)
    stream_limiter: EventStreamLimiter = field(default_factory=EventStreamLimiter)

    def close(self) -> None:
        self.database.dispose()
        self.job_queue.close()


def create_services(settings: Settings) -> AppServices:
    bell = Bell(settings.redis_url)
    storage = Storage(settings.resolved_storage_url)
    return AppServices(
        settings=settings,
        database=Database(settings.resolved_database_url, ring=bell.ring),
        storage=storage,
        catalogue=Catalogue(settings.model_folders),
        job_queue=bell,
        stream_limiter=EventStreamLimiter(settings.event_streams),
        model_server=ModelServer(settings, storage),
    )


async def _get_services(request: Request) -> AppServices:
    parts: AppServices = request.app.state.services
    return parts


ServicesDep = Annotated[AppServices, Depends(_get_services)]

CursorQuery = Annotated[
    str | None,
    Query(max_length=128, description="Cursor: the id of the last item of the page before."),
]


def create_page_dependency(default: int, maximum: int) -> Callable[..., Awaitable[Page]]:
    """The paging parameters of a list endpoint, with its own default and maximum of ``limit``."""

    async def read_page(
        after: CursorQuery = None,
        limit: Annotated[
            int, Query(ge=1, le=maximum, description="Most items of a page.")
        ] = default,
    ) -> Page:
        return Page(after, limit)

    return read_page
