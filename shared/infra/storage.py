"""Blob storage by key, on local disk or in an object store (S3, GCS, Azure), through one
library.

Keys are the service's own (``shared.infra.storage_keys``), never a client's file name. A put is
atomic. A storage that is away or full raises StorageUnavailable, whose message is for users.
"""

import errno
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
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
    describe_missing_folder,
)
from shared.infra.storage_keys import is_below_prefix

CHUNK_BYTES = 1024 * 1024


class Blob(NamedTuple):
    key: str
    bytes: int
    modified: datetime


class Storage:
    def __init__(self, url: str) -> None:
        self._store = _open_store(url)
        parsed = urlparse(url)
        self._folder = Path(unquote(parsed.path)) if parsed.scheme == "file" else None
        self._is_marked = self._folder is not None and _mark_folder(self._folder)

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
        if self._folder is None or not _try_hardlink(path, self._folder / key):
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
            and self._folder.exists()
            and self._folder.stat().st_dev == folder.stat().st_dev
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
        if self._folder is None or not _try_plain_link(self._folder / key, path):
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
        try:
            with self._translate_errors():
                obstore.head(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return False
        return True

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
        """Raise StorageUnavailable if the storage's folder was there and no longer is.

        Without this check a disk that is not mounted would be filled under the mount point.
        """
        if self._is_marked and self._folder is not None and not _get_marker(self._folder).exists():
            raise describe_missing_folder(self._folder)

    def measure_free_bytes(self) -> int | None:
        """Return the free space of the storage's disk; None for an object store."""
        self.require_folder()
        return None if self._folder is None else shutil.disk_usage(self._folder).free

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


def _get_marker(folder: Path) -> Path:
    return folder / ".evenkeel-storage"


def _mark_folder(folder: Path) -> bool:
    """Mark the folder as a storage; False where nothing can be written."""
    try:
        _get_marker(folder).touch()
    except OSError:
        return _get_marker(folder).exists()
    return True


def _require_files(paths: Iterable[Path]) -> None:
    """Raise FileNotFoundError unless all of the files exist."""
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise FileNotFoundError(errno.ENOENT, "the local copy was deleted", str(missing))


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


def _try_plain_link(path: Path, target: Path) -> bool:
    """Hard-link a stored file to a new name, with its rights; False if that cannot be done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(path)
    except OSError:
        return False
    return True


def _open_store(url: str) -> ObjectStore:
    parsed = urlparse(url)
    if parsed.scheme == "file":
        return LocalStore(unquote(parsed.path), mkdir=True, automatic_cleanup=True)
    return from_url(url)
