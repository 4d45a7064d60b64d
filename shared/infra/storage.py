"""Blob storage by key, on local disk or in an object store (S3, GCS, Azure), through one
library.

Keys are the service's own (``shared.infra.storage_keys``), never a client's file name. A put is
atomic. A storage that is away or full raises StorageUnavailable, whose message is for users.
"""

import errno
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.infra.storage_errors import (
    BlobMissing,
    StorageUnavailable,
    describe_failure,
)
from shared.infra.storage_folder import StorageFolder, try_hardlink, try_plain_link
from shared.infra.storage_keys import is_below_prefix

CHUNK_BYTES = 1024 * 1024


class Blob(NamedTuple):
    key: str
    bytes: int
    modified: datetime


class Storage:
    def __init__(self, url: str, knows_blobs: Callable[[], bool] | None = None) -> None:
        """``knows_blobs`` says whether rows name blobs, and raises StorageUnavailable if it cannot:
        a service whose rows do takes no empty folder for its storage.
        """
        parsed = urlparse(url)
        is_local = parsed.scheme == "file"
        self._folder = StorageFolder(Path(unquote(parsed.path)), knows_blobs) if is_local else None
        self._remote = None if is_local else from_url(url)

    @property
    def _store(self) -> ObjectStore:
        """The store; a local one is opened once its folder is there (``require_folder``)."""
        if self._folder is None:
            assert self._remote is not None
            return self._remote
        return _open_folder(self._folder.path)

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source, self._translate_errors():
            obstore.put(self._store, key, source)

    def put_bytes(self, key: str, content: bytes) -> None:
        with self._translate_errors():
            obstore.put(self._store, key, content)

    def link_or_put_file(self, key: str, path: Path) -> None:
        """Store a file that nobody will write to again. On the storage's own disk it is
        hard-linked instead of copied. The source file stays in place.
        """
        self.require_folder()
        if self._folder is None or not try_hardlink(path, self._folder.path / key):
            self.put_file(key, path)

    def link_or_put_folder(self, prefix: str, folder: Path) -> None:
        """Store every file below ``folder`` like ``link_or_put_file``, under ``prefix/<relative
        path>``. Raises FileNotFoundError for a folder that is empty or is deleted meanwhile.
        """
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        if not paths:
            raise FileNotFoundError(errno.ENOENT, "nothing to store", str(folder))
        for path in paths:
            self.link_or_put_file(f"{prefix}/{path.relative_to(folder).as_posix()}", path)
        _require_files(paths)  # or the list was of a folder that was just being deleted

    def is_on_same_disk(self, folder: Path) -> bool:
        """Whether stored bytes use the same free space as ``folder``; an object store is
        assumed not to.
        """
        return (
            self._folder is not None
            and self._folder.path.exists()
            and self._folder.path.stat().st_dev == folder.stat().st_dev
        )

    def stream(self, key: str) -> Iterator[bytes]:
        """Return the blob in chunks of about a megabyte. Raises BlobMissing at once, not at the
        first chunk.
        """
        try:
            with self._translate_errors():
                result = obstore.get(self._store, key)
        except (NotFoundError, FileNotFoundError) as error:
            raise BlobMissing(key) from error
        return self._iterate_chunks(result)

    def _iterate_chunks(self, result: "obstore.GetResult") -> Iterator[bytes]:
        with self._translate_errors():
            yield from (bytes(chunk) for chunk in result.stream(min_chunk_size=CHUNK_BYTES))

    def fetch(self, key: str, path: Path) -> None:
        """Copy a blob to a local file atomically. Raises BlobMissing."""
        partial = path.with_name(
            f".{path.name}.{secrets.token_hex(4)}.partial"
        )  # two slots may fetch the same blob at once
        chunks = self.stream(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as target:
                for chunk in chunks:
                    target.write(chunk)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def fetch_folder(self, prefix: str, folder: Path) -> None:
        """Copy every blob below ``prefix`` to a local folder. Raises BlobMissing if there is
        none, and FileNotFoundError if files of the folder were deleted meanwhile.
        """
        self._fill_folder(prefix, folder, self.fetch)

    def link_or_fetch_folder(self, prefix: str, folder: Path) -> None:
        """Make a local folder that is only read of what is below ``prefix``. On the storage's own
        disk its files are hard links instead of copies. Raises what ``fetch_folder`` does.
        """
        self._fill_folder(prefix, folder, self._link_or_fetch)

    def _link_or_fetch(self, key: str, path: Path) -> None:
        if self._folder is None or not try_plain_link(self._folder.path / key, path):
            self.fetch(key, path)

    def _fill_folder(self, prefix: str, folder: Path, copy: Callable[[str, Path], None]) -> None:
        """Copy each blob, then see that all are there: a folder that was deleted in between has
        been made again, with the later files only.
        """
        paths = {
            blob.key: folder / PurePosixPath(blob.key).relative_to(prefix)
            for blob in self.list(prefix)
        }
        if not paths:
            raise BlobMissing(prefix)
        for key, path in paths.items():
            copy(key, path)
        _require_files(paths.values())

    def exists(self, key: str) -> bool:
        return self.find(key) is not None

    def find(self, key: str) -> Blob | None:
        """Return the blob with this key; None if there is none."""
        try:
            with self._translate_errors():
                item = obstore.head(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return None
        return Blob(item["path"], item["size"], item["last_modified"])

    def list(self, prefix: str) -> Iterator[Blob]:
        with self._translate_errors():
            for page in obstore.list(self._store, prefix=prefix):
                for item in page:
                    yield Blob(item["path"], item["size"], item["last_modified"])

    def delete(self, key: str) -> None:
        """Delete a blob; a missing one is not an error."""
        try:
            with self._translate_errors():
                obstore.delete(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return

    def delete_prefix(self, prefix: str, *, kept_prefixes: Collection[str] = ()) -> None:
        """Delete the blob with this key and every blob below it, but none below the kept ones."""
        own = [prefix] if self.exists(prefix) else []  # a listing has only what is below
        for key in [*own, *(blob.key for blob in self.list(prefix))]:
            if not is_below_prefix(key, kept_prefixes):
                self.delete(key)

    def require_folder(self) -> None:
        """Raise StorageUnavailable if what is in the place of the storage's folder is not it.

        Without this check a disk that is not mounted would be filled under the mount point.
        """
        if self._folder is not None:
            self._folder.require()

    def measure_free_bytes(self) -> int | None:
        """Return the free space of the storage's disk; None for an object store."""
        self.require_folder()
        return None if self._folder is None else shutil.disk_usage(self._folder.path).free

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise StorageUnavailable for any failure but a missing key."""
        self.require_folder()
        try:
            yield
        except (NotFoundError, FileNotFoundError, StorageUnavailable):
            raise
        except (BaseError, OSError) as error:
            raise describe_failure(error) from error


def _require_files(paths: Iterable[Path]) -> None:
    """Raise FileNotFoundError unless all of the files exist."""
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise FileNotFoundError(errno.ENOENT, "the local copy was deleted", str(missing))


@lru_cache(maxsize=16)
def _open_folder(path: Path) -> LocalStore:
    return LocalStore(path, mkdir=True, automatic_cleanup=True)
