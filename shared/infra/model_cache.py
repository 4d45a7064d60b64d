"""Local copies of recently used published models."""

import os
import tempfile
from pathlib import Path

from shared.infra.settings import Settings
from shared.infra.storage import Storage


def get_cached_folder(settings: Settings, prefix: str) -> Path:
    """Return the folder for the copy of what is stored under ``prefix``, whether or not it
    exists.
    """
    return settings.resolved_cache_dir / "models" / prefix.replace("/", "-")


def fetch_cached_folder(settings: Settings, storage: Storage, prefix: str) -> Path:
    """Return the local copy and fetch it on first use. Raises BlobMissing."""
    folder = get_cached_folder(settings, prefix)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as scratch:
            whole = Path(scratch) / "model"
            storage.fetch_folder(prefix, whole)
            try:
                whole.rename(folder)
            except OSError:  # another process has fetched it meanwhile
                if not folder.is_dir():
                    raise
    os.utime(folder)  # in use: not to be removed as an old copy
    return folder
