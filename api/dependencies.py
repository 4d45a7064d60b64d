"""Services that requests work with, created once per process and injected into the routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Query, Request

from api.classifications.loaded_models import ModelServer
from api.jobs.presenting.event_stream import EventStreamLimiter
from api.jobs.presenting.job_cache import JobCache
from api.reading.pool import ReaderPool
from shared.db.pagination import PageRequest
from shared.db.session import Database
from shared.encoders.catalogue import Catalogue
from shared.infra.broker import JobQueue
from shared.infra.settings import Settings
from shared.infra.storage import Storage

LOCAL_OWNER = "local"
MAX_CONCURRENT_TABLES = 2
MAX_CONCURRENT_DOWNLOADS = 4
MAX_CONCURRENT_REPORTS = 2


@dataclass(frozen=True)
class AppServices:
    """Everything a request may use; the semaphores keep one kind of work from taking all threads.

    A process has forty threads for requests.
    """

    settings: Settings
    database: Database
    storage: Storage
    catalogue: Catalogue
    job_queue: JobQueue
    model_server: ModelServer
    owner_id: str = LOCAL_OWNER
    """Owner of the rows that requests read and write; so far every row has the same one."""
    readers: ReaderPool = field(default_factory=lambda: ReaderPool(MAX_CONCURRENT_TABLES))
    """Processes that read users' files; bounds the tables in memory, each of which may be large."""
    download_semaphore: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(MAX_CONCURRENT_DOWNLOADS)
    )
    """Bounds downloads from the hub, which may take minutes."""
    report_semaphore: BoundedSemaphore = field(
        default_factory=lambda: BoundedSemaphore(MAX_CONCURRENT_REPORTS)
    )
    """Bounds the processes that draw report figures, each of a few hundred megabytes."""
    job_cache: JobCache = field(default_factory=JobCache)
    stream_limiter: EventStreamLimiter = field(default_factory=EventStreamLimiter)

    def close(self) -> None:
        self.readers.close()
        self.database.dispose()
        self.job_queue.close()


def create_services(settings: Settings) -> AppServices:
    job_queue = JobQueue(settings.redis_url)
    storage = Storage(settings.resolved_storage_url)
    return AppServices(
        settings=settings,
        database=Database(settings.resolved_database_url, notify=job_queue.notify),
        storage=storage,
        catalogue=Catalogue(settings.model_folders),
        job_queue=job_queue,
        stream_limiter=EventStreamLimiter(settings.event_streams),
        model_server=ModelServer(settings, storage),
    )


async def _get_services(request: Request) -> AppServices:
    services: AppServices = request.app.state.services
    return services


ServicesDep = Annotated[AppServices, Depends(_get_services)]

CursorQuery = Annotated[
    str | None,
    Query(max_length=128, description="Cursor: ID of the last item of the previous page."),
]


def create_page_dependency(default: int, maximum: int) -> Callable[..., Awaitable[PageRequest]]:
    """Return a dependency that reads the page parameters, for one default and maximum limit."""

    async def read_page(
        after: CursorQuery = None,
        limit: Annotated[
            int, Query(ge=1, le=maximum, description="Maximum number of items on the page.")
        ] = default,
    ) -> PageRequest:
        return PageRequest(after, limit)

    return read_page
