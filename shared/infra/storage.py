"""Blob storage by key, on local disk or in an object store (S3, GCS, Azure), through one
library.

Keys are the service's own (``files/<sha256>``, ``uploads/<id>/…``, ``runs/<id>/…``,
``logs/<id>/…``, ``models/…``), never a client's file name. A put is atomic.
"""

import secrets
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

CHUNK_BYTES = 1024 * 1024


class BlobMissing(Exception):
    """The storage has no such key."""


class Blob(NamedTuple):
    key: str
    bytes: int
    modified: datetime


class Storage:
    def __init__(self, url: str) -> None:
        self._store = _open_store(url)
        parsed = urlparse(url)
        self._folder = Path(unquote(parsed.path)) if parsed.scheme == "file" else None

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source:
            obstore.put(self._store, key, source)

    def put_bytes(self, key: str, content: bytes) -> None:
        obstore.put(self._store, key, content)

    def link_or_put_file(self, key: str, path: Path) -> None:
        """Store a file that nobody will write to again. On the storage's own disk it is
        hard-linked instead of copied. The source file stays in place.
        """
        if self._folder is None or not _try_hardlink(path, self._folder / key):
            self.put_file(key, path)

    def link_or_put_folder(self, prefix: str, folder: Path) -> None:
        """Store every file below ``folder`` like ``link_or_put_file``, under ``prefix/<relative
        path>``.
        """
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.link_or_put_file(f"{prefix}/{path.relative_to(folder).as_posix()}", path)

    def is_on_same_disk(self, folder: Path) -> bool:
        """Whether stored bytes use the same free space as ``folder``; an object store is
        assumed not to.
        """
        return (
            self._folder is not None
            and self._folder.exists()
            and self._folder.stat().st_dev == folder.stat().st_dev
        )

    def stream(self, key: str) -> Iterator[bytes]:
        """Return the blob in chunks of about a megabyte. Raises BlobMissing at once, not at the
        first chunk.
        """
        try:
            result = obstore.get(self._store, key)
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing(key) from error
        return (bytes(chunk) for chunk in result.stream(min_chunk_size=CHUNK_BYTES))

    def fetch(self, key: str, path: Path) -> None:
        """Copy a blob to a local file atomically. Raises BlobMissing."""
        partial = path.with_name(
            f".{path.name}.{secrets.token_hex(4)}.partial"
        )  # two slots may fetch the same blob at once
        chunks = self.stream(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as target:
            for chunk in chunks:
                target.write(chunk)
        partial.replace(path)

    def fetch_folder(self, prefix: str, folder: Path) -> None:
        """Copy every blob below ``prefix`` to a local folder. Raises BlobMissing if there is
        none.
        """
        blobs = list(self.list(prefix))
        if not blobs:
            raise BlobMissing(prefix)
        for blob in blobs:
            self.fetch(blob.key, folder / PurePosixPath(blob.key).relative_to(prefix))

    def exists(self, key: str) -> bool:
        try:
            obstore.head(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return False
        return True

    def list(self, prefix: str) -> Iterator[Blob]:
        for page in obstore.list(self._store, prefix=prefix):
            for item in page:
                yield Blob(item["path"], item["size"], item["last_modified"])

    def delete(self, key: str) -> None:
        """Delete a blob; a missing one is not an error."""
        try:
            obstore.delete(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return

    def delete_prefix(self, prefix: str) -> None:
        for blob in list(self.list(prefix)):
            self.delete(blob.key)


def _try_hardlink(path: Path, target: Path) -> bool:
    """Hard-link the file atomically; False if the disks differ or do not support links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        partial.hardlink_to(path)
        partial.replace(target)
    except OSError:
        return False
    finally:
        partial.unlink(
            missing_ok=True
        )  # replacing a name by another name of the same file does nothing
    target.chmod(
        stat.S_IMODE(target.parent.stat().st_mode) & 0o666
    )  # whoever may enter the folder may read its content
    return True


def build_file_key(sha256: str) -> str:
    return f"files/{sha256}"


def build_parts_prefix(upload_id: str) -> str:
    """Prefix of the parts of an upload."""
    return f"uploads/{upload_id}"


def build_logs_prefix(run_id: str) -> str:
    """Prefix of the logs of a run's attempts."""
    return f"logs/{run_id}"


def build_log_key(run_id: str, attempt: int) -> str:
    return f"{build_logs_prefix(run_id)}/{attempt}.txt"


def build_part_key(upload_id: str, part_id: str) -> str:
    return f"{build_parts_prefix(upload_id)}/{part_id}"


def _open_store(url: str) -> ObjectStore:
    parsed = urlparse(url)
    if parsed.scheme == "file":
        return LocalStore(unquote(parsed.path), mkdir=True, automatic_cleanup=True)
    return from_url(url)
