"""Drawn pages and pictures of ended jobs, kept on this machine's disk up to a total size.

A page is found by a digest of everything that it shows and of what draws it, so no entry has to be
invalidated. It is never looked up before the caller's own rows were read.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import shared.report
from shared.infra.storage_errors import is_disk_full

log = logging.getLogger(__name__)

MAX_CACHE_BYTES = 256 * 1024 * 1024
"""About a thousand pages of five seeds."""
_DRAWING_LIBRARIES = ("evenkeel", "altair", "vl-convert-python", "jinja2")


def compute_page_key(owner_id: str, drawing: bytes) -> str:
    """Return the digest of a serialized drawing, its owner and the code that draws it."""
    digest = hashlib.blake2b(digest_size=20)
    for part in (owner_id.encode(), _digest_renderer(), drawing):
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


@cache
def _digest_renderer() -> bytes:
    """Digest the report's own code and templates, and the versions of the libraries."""
    root = Path(shared.report.__path__[0])
    digest = hashlib.blake2b()
    for path in sorted(root.rglob("*")):
        if path.suffix in {".py", ".j2"}:
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(repr([version(name) for name in _DRAWING_LIBRARIES]).encode())
    return digest.digest()


class PageCache:
    """Files ``<subject>-<key>.<format>``: a line with the IDs of the shown jobs, then the page.

    Every failure of the disk is a miss: a page can always be drawn again.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def find(self, subject_id: str, key: str, page_format: str) -> bytes | None:
        """Return the page of a job or a comparison, or None."""
        path = self._build_path(subject_id, key, page_format)
        try:
            content = path.read_bytes()
            # the least recently used ones are deleted first; not touch(), which would create a
            # page that was deleted meanwhile, as an empty one
            os.utime(path)
        except OSError:
            return None
        return content.partition(b"\n")[2]

    def store(
        self, subject_id: str, key: str, page_format: str, page: bytes, job_ids: Collection[str]
    ) -> None:
        """Store a page in place of the subject's earlier one."""
        path = self._build_path(subject_id, key, page_format)
        partial = path.with_name(f".{secrets.token_hex(8)}.partial")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(json.dumps(sorted(job_ids)).encode() + b"\n" + page)
            partial.replace(path)
            for earlier in self._folder.glob(f"{subject_id}-*.{page_format}"):
                if earlier != path:
                    earlier.unlink(missing_ok=True)
            self._delete_excess()
        except OSError as error:
            log.warning("page_not_cached subject=%s full=%s", subject_id, is_disk_full(error))
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def delete_job(self, job_id: str) -> None:
        """Delete every page that shows the job, those of comparisons included."""
        for path in self._folder.glob("*-*.*"):
            try:
                with path.open("rb") as file:
                    is_shown = job_id in json.loads(file.readline())
                if is_shown:
                    path.unlink()
            except (OSError, ValueError):
                continue  # deleted by another request

    def _build_path(self, subject_id: str, key: str, page_format: str) -> Path:
        return self._folder / f"{subject_id}-{key}.{page_format}"

    def _delete_excess(self) -> None:
        entries = []
        for path in self._folder.iterdir():
            try:
                facts = path.stat()
            except FileNotFoundError:  # deleted by another request
                continue
            entries.append((facts.st_mtime_ns, facts.st_size, path))
        total = 0
        for _, size, path in sorted(entries, reverse=True):
            total += size
            if total > self._max_bytes:
                path.unlink(missing_ok=True)
