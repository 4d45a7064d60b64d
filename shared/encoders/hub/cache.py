"""The folder of downloaded hub models.

    models/<owner>--<name>/<commit>/     a whole model, moved here by one rename
    partial/<owner>--<name>--<commit>/   a model that is being downloaded
    revisions/<model>/<revision>.json    what a revision named when it was last asked for
    locks/<owner>--<name>--<commit>      held while the model is downloaded

Only a whole model has a folder below ``models``, so a folder that is there can be used. The lock is
the kernel's (``flock``): it ends with its process, however that dies.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pydantic import ValidationError

from shared.domain.hub_model import HubModel
from shared.encoders.hub.ids import COMMIT_PATTERN, DEFAULT_REVISION

LOCK_POLL_S = 0.5


class CachedModel(NamedTuple):
    """A whole model in the cache."""

    repository: str
    commit: str
    folder: Path


class HubCache:
    def __init__(self, root: Path) -> None:
        self._root = root

    # whole models

    def get_folder(self, model: HubModel) -> Path:
        """Return the folder of a whole model, whether or not it exists."""
        return self._root / "models" / _join_name(model.repository) / model.commit

    def find_folder(self, model: HubModel) -> Path | None:
        """Return the folder of a model that has been downloaded, else None."""
        folder = self.get_folder(model)
        return folder if folder.is_dir() else None

    def list_models(self) -> list[CachedModel]:
        """List the whole models, by repository and commit."""
        folders = sorted(self._root.glob("models/*/*"))
        return [
            CachedModel(folder.parent.name.replace("--", "/"), folder.name, folder)
            for folder in folders
            if COMMIT_PATTERN.fullmatch(folder.name) and folder.is_dir()
        ]

    def find_by_name(self, model: str) -> Path | None:
        """Return the folder of what the main branch of ``model`` was when last asked for, else that
        of any commit that is here, or None. The name may be a canonical one, without an owner.
        """
        recorded = self.find_revision(model, DEFAULT_REVISION)
        folder = None if recorded is None else self.find_folder(recorded)
        cached = (one.folder for one in self.list_models() if one.repository == model)
        return folder or next(cached, None)

    # models that are being downloaded

    def get_partial_folder(self, model: HubModel) -> Path:
        return self._root / "partial" / _name_download(model)

    def measure_partial(self, model: HubModel) -> int:
        """Return how many bytes of a model an interrupted download has left."""
        folder = self.get_partial_folder(model)
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    def publish(self, model: HubModel) -> Path:
        """Move the complete partial folder to its place, and return that. Raises OSError."""
        folder = self.get_folder(model)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.get_partial_folder(model).rename(folder)
        except OSError:
            if not folder.is_dir():  # else a process on a disk without locks was faster
                raise
        _sync_folder(folder.parent)
        return folder

    @contextmanager
    def lock(self, model: HubModel, check: Callable[[], None]) -> Iterator[None]:
        """Hold the model's lock; while another process has it, call ``check`` twice a second."""
        from filelock import FileLock, Timeout

        path = self._root / "locks" / _name_download(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, thread_local=False)
        while True:
            try:
                lock.acquire(timeout=LOCK_POLL_S, poll_interval=LOCK_POLL_S / 5)
                break
            except Timeout:
                check()
        try:
            yield
        finally:
            lock.release()

    def find_existing_parent(self) -> Path:
        """Return the cache's folder, or the nearest one above it that exists."""
        folder = self._root.absolute()
        return next(one for one in (folder, *folder.parents) if one.is_dir())

    # revisions

    def record_revision(self, model: str, revision: str, resolved: HubModel) -> None:
        """Note what a revision names, for offline mode; its commit is noted as well.

        A disk that cannot be written only loses the note.
        """
        content = resolved.model_dump_json()
        with suppress(OSError):
            for name in {revision, resolved.commit}:
                file = self._get_revision_file(model, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                scratch = file.with_suffix(f".{os.getpid()}")
                scratch.write_text(content, encoding="utf-8")
                scratch.replace(file)

    def find_revision(self, model: str, revision: str) -> HubModel | None:
        """Return what a revision named when it was last asked for, else None."""
        try:
            content = self._get_revision_file(model, revision).read_bytes()
            return HubModel.model_validate_json(content)
        except (OSError, ValidationError, json.JSONDecodeError):
            return None

    def _get_revision_file(self, model: str, revision: str) -> Path:
        return self._root / "revisions" / _join_name(model) / f"{quote(revision, safe='')}.json"


def _join_name(repository: str) -> str:
    return repository.replace("/", "--")


def _name_download(model: HubModel) -> str:
    return f"{_join_name(model.repository)}--{model.commit}"


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
