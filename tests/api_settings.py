"""Settings of an application in the test process: a migrated database and a Redis of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.db.migrate import apply_migrations
from shared.infra.settings import Settings
from shared.infra.storage_folder import MARKER_NAME
from tests.servers import redis_server


@contextmanager
def provide_settings(
    home: Path, model_dir: Path, url: str = "", **settings: Any
) -> Iterator[Settings]:
    """Provide the settings while the block runs; without a database URL, of SQLite in the home."""
    with redis_server() as redis:
        provided = Settings(
            home=home,
            database_url=url,
            redis_url=redis.url,
            model_dirs=str(model_dir),
            allowed_hosts="testserver",  # the name that the test client uses
            **settings,
        )
        apply_migrations(provided.resolved_database_url)
        if not provided.storage_url:  # tests add rows before anything is stored
            storage = home / "storage"
            storage.mkdir()
            (storage / MARKER_NAME).touch()
        yield provided
