"""Local folders of uploaded checkpoints: fetched, verified and unpacked on first use."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.infra.model_cache import fill_folder_once, get_cached_folder
from shared.infra.settings import Settings
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_file_key

Unpack = Callable[[Path, Path], object]
"""Unpacks an archive into a new folder."""


def get_checkpoint_folder(settings: Settings, sha256: str) -> Path:
    """Return the folder for the checkpoint whose archive has this digest, whether or not it
    exists.
    """
    return get_cached_folder(settings, build_file_key(sha256))


def adopt_checkpoint_folder(settings: Settings, sha256: str, unpacked: Path) -> None:
    """Make a folder on the cache's disk the local copy; one that exists stays."""
    folder = get_checkpoint_folder(settings, sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # another process has unpacked it meanwhile
        unpacked.rename(folder)


def fetch_checkpoint_folder(
    settings: Settings, storage: Storage, sha256: str, unpack: Unpack
) -> Path:
    """Return the local folder of a checkpoint; fetch, verify and unpack its archive on first use.

    Raises BlobMissing, also for an archive whose content has changed, and what ``unpack`` raises.
    """

    def fill(scratch: Path, whole: Path) -> None:
        archive = scratch / "archive"
        storage.fetch(build_file_key(sha256), archive)
        _require_digest(archive, sha256)
        unpack(archive, whole)

    return fill_folder_once(get_checkpoint_folder(settings, sha256), fill)


def _require_digest(archive: Path, sha256: str) -> None:
    with archive.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
            raise BlobMissing(
                f"{build_file_key(sha256)} has another content than it was stored with"
            )
