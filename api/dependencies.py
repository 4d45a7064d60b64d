"""The parts a request works with, made once a process and handed to the routes as annotated dependencies."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Query, Request

from api.classifications.loaded_models import Serving
from api.jobs.presenting.event_stream import EventStreams
from api.jobs.presenting.job_cache import JobPolls
from shared.db.pagination import Page
from shared.db.session import Database
from shared.encoders.catalogue import Catalogue
from shared.infra.broker import Bell
from shared.infra.settings import Settings
from shared.infra.storage import Storage

LOCAL_OWNER = "local"
TABLES_AT_ONCE = 2
FETCHES_AT_ONCE = 4
PAGES_AT_ONCE = 2


@dataclass(frozen=True)
class Parts:
    settings: Settings
    database: Database
    storage: Storage
    catalogue: Catalogue
    bell: Bell
    serving: Serving
    owner_id: str = LOCAL_OWNER
    """Whose rows a request sees; there is one owner so far, and the column is on every row."""
    reading: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(TABLES_AT_ONCE))
    """Held while a table is in memory: one may be large, and a process has forty threads for requests."""

    fetching: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(FETCHES_AT_ONCE))
    """Held while a data set comes from the hub, which may take minutes of one of the threads."""

    drawing: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(PAGES_AT_ONCE))
    """Held while a report's figures are drawn, by a process of a few hundred megabytes."""

    job_polls: JobPolls = field(default_factory=JobPolls)
    event_streams: EventStreams = field(default_factory=EventStreams)

    def close(self) -> None:
        self.database.dispose()
        self.bell.close()


def make_parts(settings: Settings) -> Parts:
    bell = Bell(settings.redis_url)
    storage = Storage(settings.resolved_storage_url)
    return Parts(
        settings=settings,
        database=Database(settings.resolved_database_url, ring=bell.ring),
        storage=storage,
        catalogue=Catalogue(settings.model_folders),
        bell=bell,
        event_streams=EventStreams(settings.event_streams),
        serving=Serving(settings, storage),
    )


async def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(_parts)]

After = Annotated[
    str | None,
    Query(max_length=128, description="Cursor: the id of the last item of the page before."),
]


def paging(default: int, maximum: int) -> Callable[..., Awaitable[Page]]:
    """The paging parameters of a list endpoint, with its own default and maximum of ``limit``."""

    async def read(
        after: After = None,
        limit: Annotated[
            int, Query(ge=1, le=maximum, description="Most items of a page.")
        ] = default,
    ) -> Page:
        return Page(after, limit)

    return read
