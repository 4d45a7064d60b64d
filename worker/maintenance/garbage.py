"""Garbage collection: unreferenced blobs, unused local copies, folders of lost workers."""

import logging
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.db.orphans import delete_orphan
from shared.db.references import References
from shared.db.session import Database
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_keys import StorageRoot, is_below_prefix
from shared.timings import GARBAGE_GRACE_S, OWNED_GARBAGE_GRACE_S

log = logging.getLogger(__name__)
_ROOTS_OF_RUNS = frozenset({StorageRoot.RUNS, StorageRoot.LOGS, StorageRoot.PREDICTIONS})
"""Roots whose owner's row is older than its blobs."""


def sweep_storage(
    references: References, storage: Storage, database: Database, *, now: datetime | None = None
) -> int:
    """Delete old blobs that no row refers to; return their number.

    ``references`` were read before: a blob that is newer than they are may have a row by now.
    """
    deleted = 0
    for root in StorageRoot:
        grace = OWNED_GARBAGE_GRACE_S if root in _ROOTS_OF_RUNS else GARBAGE_GRACE_S
        oldest = (now or datetime.now(UTC)) - timedelta(seconds=grace)
        for blob in list(storage.list(root)):
            if blob.modified < oldest and not is_below_prefix(blob.key, references.prefixes):
                deleted += delete_orphan(database, storage, blob.key, modified_before=oldest)
    if deleted:
        log.info("garbage_deleted blobs=%s", deleted)
    return deleted


def sweep_cache(references: References, settings: Settings, *, now: float | None = None) -> int:
    """Delete scratch folders of ended runs and local copies unused for a day.

    Return the number of deleted paths.
    """
    oldest = (now or time.time()) - GARBAGE_GRACE_S
    cache = settings.resolved_cache_dir
    candidates = [
        path
        for path in _list_children(cache / "runs")
        if path.name.rpartition("-")[0] not in references.open_runs
    ]
    candidates += _list_children(settings.resolved_hub_cache / "partial")
    candidates += [
        path
        for folder in ("files", "models", "uploads", "publish", "reports")
        for path in _list_children(cache / folder)
    ]
    deleted = [path for path in candidates if _is_older(path, oldest)]
    for path in deleted:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(deleted)


def _list_children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_older(path: Path, oldest: float) -> bool:
    try:
        return path.stat().st_mtime < oldest
    except FileNotFoundError:  # deleted meanwhile
        return False
