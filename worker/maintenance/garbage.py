"""Garbage collection: unreferenced blobs, unused local copies, folders of lost workers."""

import logging
import shutil
import time
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.db.references import References
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.timings import GARBAGE_GRACE_S

log = logging.getLogger(__name__)


def sweep_storage(references: References, storage: Storage, *, now: datetime | None = None) -> int:
    """Delete blobs older than a day that no row refers to; return their number."""
    oldest = (now or datetime.now(UTC)) - timedelta(seconds=GARBAGE_GRACE_S)
    deleted = 0
    for root in ("files", "uploads", "runs", "logs", "models"):
        for blob in list(storage.list(root)):
            if blob.modified < oldest and not _is_below_prefix(blob.key, references.prefixes):
                storage.delete(blob.key)
                deleted += 1
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
    candidates += [
        path
        for folder in ("files", "models", "uploads", "publish")
        for path in _list_children(cache / folder)
    ]
    deleted = [path for path in candidates if path.stat().st_mtime < oldest]
    for path in deleted:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(deleted)


def _is_below_prefix(key: str, prefixes: AbstractSet[str]) -> bool:
    """Return whether the key or one of its parent folders is among the prefixes."""
    parts = key.split("/")
    return any("/".join(parts[:depth]) in prefixes for depth in range(1, len(parts) + 1))


def _list_children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
