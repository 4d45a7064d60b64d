"""Published models on this machine: a copy of each folder that was asked for lately."""

import os
import tempfile
from pathlib import Path

from shared.infra.settings import Settings
from shared.infra.storage import Storage


def local_folder(settings: Settings, prefix: str) -> Path:
    """Where the copy of what is stored under ``prefix`` lies, if there is one."""
    return settings.resolved_cache_dir / "models" / prefix.replace("/", "-")


def fetched_folder(settings: Settings, storage: Storage, prefix: str) -> Path:
    """The copy, fetched when first asked for. Raises BlobMissing."""
    folder = local_folder(settings, prefix)
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
    os.utime(folder)  # in use: not to be cleared away as an old copy
    return folder
