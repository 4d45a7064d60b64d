"""Services that requests work with, created once per process and injected into the routes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Annotated

from fastapi import Depends, Query, Request

from api.access.key_directory import KeyDirectory
from api.classifications.loaded_models import ModelServer
from api.heavy_work import HeavyWork
from api.jobs.presenting.event_stream import EventStreamLimiter
from api.jobs.presenting.job_cache import JobCache
from api.limited_work import LimitedWork
from api.operations.recent_sizes import RecentSizes
from api.reading.pool import ReaderPool
from api.reports.page_cache import PageCache
from api.reports.recent_pages import RecentPages
from api.single_flight import SingleFlight
from shared.db.pagination import PageRequest
from shared.db.references import build_blob_check
from shared.db.session import Database, find_database_file
from shared.domain.api_keys import LOCAL_CALLER, Caller
from shared.encoders.catalogue import Catalogue
from shared.encoders.catalogue_entries import CatalogueEntry
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.starts import list_hub_starts
from shared.infra.broker import JobQueue
from shared.infra.disk_reserve import DiskReserve
from shared.infra.secret_box import SecretBox
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_probe import StorageProbe

MAX_CONCURRENT_TABLES = 2
MAX_CONCURRENT_DOWNLOADS = 4
MAX_CONCURRENT_REPORTS = 2


@dataclass(frozen=True)
class AppServices:
    """Everything a request may use; the bounds keep one kind of work from taking all threads.

    A process has forty threads for requests.
    """

    settings: Settings
    database: Database
    storage: Storage
    catalogue: Catalogue
    job_queue: JobQueue
    model_server: ModelServer
    key_directory: KeyDirectory
    storage_probe: StorageProbe
    disk_reserve: DiskReserve
    page_cache: PageCache
    """Drawn pages of ended jobs."""
    list_hub_starts: Callable[[], Sequence[CatalogueEntry]] = tuple
    """Lists the models of the hub that a job can start from."""
    caller: Caller = LOCAL_CALLER
    """Who sends the request; ``api.access`` finds it by the key."""
    readers: ReaderPool = field(default_factory=lambda: ReaderPool(MAX_CONCURRENT_TABLES))
    """Processes that read users' files; bounds the tables in memory, each of which may be large."""
    heavy: HeavyWork = field(default_factory=HeavyWork)
    """Threads for requests that read files or wait; the others stay free for short ones."""
    hub_requests: LimitedWork = field(
        default_factory=lambda: LimitedWork("requests to the hub", MAX_CONCURRENT_DOWNLOADS)
    )
    """Bounds downloads from the hub, which may take minutes."""
    report_drawings: LimitedWork = field(
        default_factory=lambda: LimitedWork("drawings of reports", MAX_CONCURRENT_REPORTS)
    )
    """Bounds the processes that draw report figures, each of a few hundred megabytes."""
    recent_pages: RecentPages = field(default_factory=RecentPages)
    page_flight: SingleFlight[bytes] = field(default_factory=SingleFlight)
    """Callers of one page share its drawing."""
    job_cache: JobCache = field(default_factory=JobCache)
    recent_sizes: RecentSizes = field(default_factory=RecentSizes)
    stream_limiter: EventStreamLimiter = field(default_factory=EventStreamLimiter)

    @property
    def owner_id(self) -> str:
        """Owner of the rows that the request reads and writes; no other rows exist for it."""
        return self.caller.owner_id

    @cached_property
    def secret_box(self) -> SecretBox:
        """Encryption of the secrets in the database."""
        return SecretBox(self.settings)

    def close(self) -> None:
        self.readers.close()
        self.storage_probe.close()
        self.database.dispose()
        self.job_queue.close()


def create_services(settings: Settings) -> AppServices:
    job_queue = JobQueue(settings.redis_url)
    database = Database(settings.resolved_database_url, notify=job_queue.notify)
    storage = Storage(settings.resolved_storage_url, build_blob_check(database))
    disk_reserve = DiskReserve(find_database_file(settings.resolved_database_url))
    disk_reserve.fill()
    return AppServices(
        settings=settings,
        database=database,
        key_directory=KeyDirectory(database),
        storage=storage,
        catalogue=Catalogue(settings.model_folders, memory_bytes=settings.trainer_memory_bytes),
        job_queue=job_queue,
        stream_limiter=EventStreamLimiter(settings.event_streams, settings.owner_event_streams),
        model_server=ModelServer(settings, storage),
        storage_probe=StorageProbe(storage),
        disk_reserve=disk_reserve,
        page_cache=PageCache(settings.resolved_cache_dir / "reports"),
        list_hub_starts=partial(
            list_hub_starts, HubCache(settings.resolved_hub_cache), settings.hub_models
        ),
    )


async def _get_services(request: Request) -> AppServices:
    """Return the services of the process for the request's caller."""
    services: AppServices = request.app.state.services
    caller: Caller = request.state.caller
    return services if caller == services.caller else replace(services, caller=caller)


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
