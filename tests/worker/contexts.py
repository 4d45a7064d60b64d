"""Worker contexts on a migrated database, without a trainer."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.db.migrate import apply_migrations
from shared.db.session import Database, Message
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from worker.context import WorkerContext
from worker.trainer.process import Trainer

HUB_MODEL = "acme/tiny-bert"
"""The model of the hub that tests play."""


@contextmanager
def open_context(settings: Settings, notifications: list[Message]) -> Iterator[WorkerContext]:
    """Open a context whose messages to the queue are added to ``notifications``."""
    apply_migrations(settings.resolved_database_url)

    def notify(message: Message) -> bool:
        notifications.append(message)
        return True

    database = Database(settings.resolved_database_url, notify=notify)
    yield WorkerContext(
        settings, database, Storage(settings.resolved_storage_url), Trainer(settings)
    )
    database.dispose()
