"""Local copies of recently used published models."""

import os
import tempfile
from collections.abc import Callable
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
    return fill_folder_once(
        get_cached_folder(settings, prefix),
        lambda _scratch, whole: storage.link_or_fetch_folder(prefix, whole),
    )


def fill_folder_once(folder: Path, fill: Callable[[Path, Path], object]) -> Path:
    """Return a cached folder, and mark it as in use; if it does not exist, fill it first.

    ``fill`` gets a scratch folder on the same disk, which is deleted afterwards, and the new folder
    to make, which becomes the cached one at once: no process sees a part of it. Raises what it
    raises.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as scratch:
            whole = Path(scratch) / "model"
            fill(Path(scratch), whole)
            try:
                whole.rename(folder)
            except OSError:  # another process has filled it meanwhile
                if not folder.is_dir():
                    raise
    os.utime(folder)  # in use: not to be removed as an old copy
    return folder
