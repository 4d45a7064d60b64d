"""Download of a hub model into the cache: once per disk, resumed, verified, whole or not at all."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from shared.domain.errors import HubNotReachable, ModelNotAllowed
from shared.domain.hub_model import HubFile, HubModel
from shared.encoders.hub.cache import HubCache
from shared.encoders.hub.client import HubClient
from shared.encoders.hub.ids import OFF, require_allowed
from shared.encoders.hub.resolution import require_disk_space
from shared.encoders.validation import check_model_folder
from shared.infra.settings import Settings

ReportBytes = Callable[[int], None]
"""Called at least twice a second with the bytes that are there; what it raises ends the download,
which a later one resumes.
"""

MAX_FAILURES = 4
"""Consecutive failures without a new byte of a file, after which the hub counts as unreachable."""
RETRY_DELAY_S = 1.0
_CALL_INTERVAL_S = 0.4
_HASH_CHUNK_BYTES = 4 * 1024 * 1024


def fetch_model(settings: Settings, model: HubModel, report: ReportBytes) -> Path:
    """Return the model's folder in the cache, and download it if it is not there.

    Raises HubNotReachable (a later attempt continues), HubNotAllowed, ModelNotFound,
    ModelNotAllowed for an unfit model or a full disk, OSError, and what ``report`` raises.
    """
    cache = HubCache(settings.resolved_hub_cache)
    folder = cache.find_folder(model)
    if folder is not None:
        return folder
    if settings.hub_models == OFF:  # which models, was decided when the job was created
        require_allowed(OFF, model.repository)
    if settings.hub_offline:
        raise HubNotReachable(
            f"{model.title} is not in the cache of hub models, and the hub is not asked in "
            "offline mode (HF_HUB_OFFLINE).",
            param="model",
        )
    with cache.lock(model, lambda: report(0)):
        folder = cache.find_folder(model)  # another process may have downloaded it meanwhile
        return folder or _Download(settings, cache, model, report).run()


class _Download:
    """One attempt, which holds the model's lock."""

    def __init__(
        self, settings: Settings, cache: HubCache, model: HubModel, report: ReportBytes
    ) -> None:
        self._settings = settings
        self._client = HubClient(settings)
        self._cache = cache
        self._model = model
        self._report = report
        self._folder = cache.get_partial_folder(model)
        self._finished_bytes = 0
        self._part: Path | None = None
        self._next_call = 0.0

    def run(self) -> Path:
        require_disk_space(self._cache, self._model)
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in self._model.files:
            target = self._folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                self._download_file(file, target)
            self._finished_bytes += file.bytes
        self._part = None
        self._check_model()
        return self._cache.publish(self._model)

    def _check_model(self) -> None:
        """Raise ModelNotAllowed, and keep nothing, for a model that cannot be trained."""
        memory_bytes = self._settings.trainer_memory_bytes
        try:
            check_model_folder(self._folder, name=self._model.title, memory_bytes=memory_bytes)
        except ModelNotAllowed:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise

    def _download_file(self, file: HubFile, target: Path) -> None:
        """Download and verify one file; its name in the folder means that it is whole."""
        self._part = part = target.with_name(f"{target.name}.part")
        self._receive_bytes(file, part)
        if not self._is_as_listed(file, part):
            part.unlink()  # a later attempt begins this file again
            raise HubNotReachable(
                f"The hub cannot be read: the downloaded {file.path} differs from the listed file.",
                param="model",
            )
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.rename(target)

    def _receive_bytes(self, file: HubFile, part: Path) -> None:
        """Append what is missing, and reconnect while that brings new bytes."""
        part.touch()
        if part.stat().st_size > file.bytes:
            part.unlink()
        failures = 0
        while (received := _measure_file(part)) < file.bytes:
            try:
                self._client.append_file(
                    self._model.repository, self._model.commit, file, part, self._report_progress
                )
                failures += _measure_file(part) <= received  # an empty body is a failure as well
            except HubNotReachable as error:
                failures = 0 if _measure_file(part) > received else failures + 1
                if failures >= MAX_FAILURES or error.retry_after_s > 0:
                    raise
                self._wait(RETRY_DELAY_S)
            if failures >= MAX_FAILURES:
                raise HubNotReachable(
                    f"The hub cannot be read: {file.path} ends before its listed size.",
                    param="model",
                )

    def _is_as_listed(self, file: HubFile, part: Path) -> bool:
        """Return whether size and digest are those that the job's row pins."""
        if part.stat().st_size != file.bytes:
            return False
        if file.sha256 is not None:
            return self._compute_digest(hashlib.sha256(), part) == file.sha256
        header = f"blob {file.bytes}\0".encode()  # Git's object ID covers this header
        digest = hashlib.sha1(header, usedforsecurity=False)
        return self._compute_digest(digest, part) == file.git_sha1

    def _compute_digest(self, digest: "hashlib._Hash", part: Path) -> str:
        with part.open("rb") as content:
            while chunk := content.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
                self._report_progress()
        return digest.hexdigest()

    def _report_progress(self) -> None:
        now = time.monotonic()
        if now >= self._next_call:
            self._next_call = now + _CALL_INTERVAL_S
            part = 0 if self._part is None else _measure_file(self._part)
            self._report(self._finished_bytes + part)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._report_progress()
            time.sleep(0.1)


def _measure_file(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
