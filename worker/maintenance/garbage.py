"""Clearing away what nothing names any more: blobs of killed uploads and runs, old local
copies, scratch folders of lost workers.
"""

import logging
import shutil
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.tables import File, Model, Run, Upload
from shared.domain.states import RUN_OPEN, UploadState
from shared.infra.settings import Settings
from shared.infra.storage import Storage, file_key, logs_prefix, parts_prefix

log = logging.getLogger(__name__)
GRACE_PERIOD = timedelta(
    hours=24
)  # a blob is stored before its row is committed, and a run's before it ends


@dataclass(frozen=True)
class References:
    """What rows name, at one moment."""

    prefixes: frozenset[str]
    """Storage keys, and prefixes of keys."""
    open_runs: frozenset[str]


def collect_references(session: Session) -> References:
    open_runs = frozenset(session.scalars(select(Run.id).where(Run.status.in_(RUN_OPEN))))
    files = {file_key(sha256) for sha256 in session.scalars(select(File.sha256).distinct())}
    runs = {
        prefix
        for prefix in session.scalars(select(Run.artifacts).where(Run.artifacts.is_not(None)))
        if prefix
    }
    models = set(session.scalars(select(Model.prefix)))
    pending = session.scalars(select(Upload.id).where(Upload.status == UploadState.PENDING))
    uploads = {parts_prefix(upload_id) for upload_id in pending}
    logs = {logs_prefix(run_id) for run_id in session.scalars(select(Run.id))}
    return References(
        frozenset(
            files | uploads | runs | models | logs | {f"runs/{run_id}" for run_id in open_runs}
        ),
        open_runs,
    )


def sweep_storage(references: References, storage: Storage, *, now: datetime | None = None) -> int:
    """Delete blobs older than a day that no row names; returns how many."""
    oldest = (now or datetime.now(UTC)) - GRACE_PERIOD
    deleted = 0
    for root in ("files", "uploads", "runs", "logs", "models"):
        for blob in list(storage.list(root)):
            if blob.modified < oldest and not _is_below_prefix(blob.key, references.prefixes):
                storage.delete(blob.key)
                deleted += 1
    if deleted:
        log.info("orphans_deleted blobs=%s", deleted)
    return deleted


def sweep_cache(references: References, settings: Settings, *, now: float | None = None) -> int:
    """Delete this machine's scratch folders of runs that have ended and copies not used for a
    day; returns how many.
    """
    oldest = (now or time.time()) - GRACE_PERIOD.total_seconds()
    cache = settings.resolved_cache_dir
    old = [
        path
        for path in _list_children(cache / "runs")
        if path.name.rpartition("-")[0] not in references.open_runs
    ]
    old += [
        path
        for folder in ("files", "models", "uploads", "publish")
        for path in _list_children(cache / folder)
    ]
    deleted = [path for path in old if path.stat().st_mtime < oldest]
    for path in deleted:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(deleted)


def _is_below_prefix(key: str, prefixes: AbstractSet[str]) -> bool:
    """Whether the key, or a folder that it lies in, is among the prefixes."""
    parts = key.split("/")
    return any("/".join(parts[:depth]) in prefixes for depth in range(1, len(parts) + 1))


def _list_children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
