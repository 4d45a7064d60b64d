"""Storage of uploaded files: receive and hash, read and profile, store, add the row."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices
from api.files.model_files import check_model_file
from api.reading.tables import TableSource, use_table
from shared.datasets import (
    Limits,
    Table,
    Validation,
    build_validation,
    format_summary,
    read_table,
)
from shared.datasets.errors import ReadingLimitExceeded
from shared.db.file_content import list_unused_blobs, stream_content
from shared.db.files import Files
from shared.db.locks import lock_name
from shared.db.owner_limits import OwnerUsage, lock_owner_usage
from shared.db.tables import File
from shared.domain import ids
from shared.domain.errors import InvalidRequest, PayloadTooLarge, ServiceUnavailable
from shared.domain.limit_errors import FilesLimit, StoredBytesLimit
from shared.domain.task import Header
from shared.encoders.uploaded import MODEL_PURPOSE
from shared.infra.checkpoint_cache import adopt_checkpoint_folder, get_checkpoint_folder
from shared.infra.storage import CHUNK_BYTES
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_file_key

MAX_FILENAME = 255

P = ParamSpec("P")
R = TypeVar("R")


class ReceivedFile(NamedTuple):
    """A file on this machine's disk."""

    path: Path
    bytes: int
    sha256: str


class FileDetails(NamedTuple):
    """What the caller says about a new file."""

    filename: str
    purpose: str
    expires_after: int | None = None
    """Seconds until the file is deleted; None keeps it."""


def sanitize_filename(name: str, *, param: str) -> str:
    """Return a file name without its folders.

    Raises InvalidRequest for a name that is empty, too long or not printable.
    """
    filename = PurePath(name.replace("\\", "/")).name
    if len(filename) > MAX_FILENAME or not filename.isprintable() or not filename:
        raise InvalidRequest(
            f"The file name must have 1 to {MAX_FILENAME} printable characters.", param=param
        )
    return filename


def create_file(services: AppServices, source: BinaryIO, details: FileDetails) -> File:
    """Receive, check and store an upload.

    Raises UnreadableFile (422) or UnsupportedMediaType (415) for a file that is not a table, and
    UnusableArchive (422) for an unfit model.
    """
    with create_scratch_folder(services) as folder:
        limit = get_size_limit(services, details.purpose)
        received = receive_file(source, folder / "upload", limit)
        return store_file(services, received, details)


def store_file(
    services: AppServices,
    received: ReceivedFile,
    details: FileDetails,
    on_insert: Callable[[Session, File], None] | None = None,
) -> File:
    """Check, store and register a file that is on this machine's disk.

    ``on_insert`` runs in the transaction that adds the file's row.
    """
    if on_insert is None:  # else its announcement has been counted
        require_room_for_file(services, received.bytes)
    is_model = details.purpose == MODEL_PURPOSE
    file = _build_file(services, received, details)
    unpacked = received.path.with_name("unpacked")
    if is_model:
        check_model_file(services, file, received.path, unpacked)
    else:
        _check_table_file(services, file, received.path)
    services.storage.put_file(build_file_key(received.sha256), received.path)
    try:
        _insert_file(services, file, received, details, on_insert)
    except (StoredBytesLimit, FilesLimit):
        _delete_unused_content(services, file)
        raise
    if is_model:
        adopt_checkpoint_folder(services.settings, file.sha256, unpacked)
    return file


def _insert_file(
    services: AppServices,
    file: File,
    received: ReceivedFile,
    details: FileDetails,
    on_insert: Callable[[Session, File], None] | None,
) -> None:
    key = build_file_key(received.sha256)
    with services.database.write() as session:
        lock_name(session, received.sha256)
        # the last other file with the same content may have been deleted since
        if not services.storage.exists(key):
            services.storage.put_file(key, received.path)
        if on_insert is not None:
            on_insert(session, file)  # the upload no longer counts as announced
        lock_owner_usage(session, services.owner_id, services.settings).require_room_for_file(
            file.bytes
        )
        Files(session, services.owner_id).add(file, expires_after=details.expires_after)
        session.flush()
        session.refresh(file)


def require_room_for_file(services: AppServices, size: int) -> None:
    """Raise StoredBytesLimit or FilesLimit before work is spent on a file that is refused then."""
    with services.database.read() as session:
        OwnerUsage(session, services.owner_id, services.settings).require_room_for_file(size)


def get_size_limit(services: AppServices, purpose: str) -> int:
    """Return how many bytes a file of this purpose may have."""
    settings = services.settings
    return settings.max_model_bytes if purpose == MODEL_PURPOSE else settings.max_upload_bytes


def _build_file(services: AppServices, received: ReceivedFile, details: FileDetails) -> File:
    return File(
        id=ids.make_file_id(),
        owner_id=services.owner_id,
        filename=details.filename,
        purpose=details.purpose,
        bytes=received.bytes,
        sha256=received.sha256,
        status="processed",
    )


def _check_table_file(services: AppServices, file: File, path: Path) -> None:
    """Read the file as a table, and set its profile."""
    file.validation = services.readers.run(
        _validate_upload, path, file.filename, get_table_limits(services)
    )
    file.status_details = format_summary(file.validation)


def delete_file(services: AppServices, file_id: str) -> None:
    """Delete a file; its content is deleted with the last file that has the same content."""

    def delete_row() -> File:
        with services.database.write() as session:
            return Files(session, services.owner_id).delete(file_id)

    file = services.disk_reserve.run_deletion(delete_row)
    _delete_unused_content(services, file)


def _delete_unused_content(services: AppServices, file: File) -> None:
    """Delete the file's content if no other row needs it."""
    with services.database.write() as session:
        unused = list_unused_blobs(session, file)
        # within the transaction, whose lock keeps an upload of the same bytes from finding them
        delete_blobs(services, unused)
    if unused and file.folder is None:
        shutil.rmtree(get_checkpoint_folder(services.settings, file.sha256), ignore_errors=True)


def read_stored_file(
    services: AppServices,
    source: TableSource,
    use: Callable[Concatenate[Table, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Read the file in a child process, and return what ``use`` makes of its table there.

    Raises what ``use`` raises, and InvalidValue if the file cannot be read.
    """
    return read_within(services, None, source, use, *args, **kwargs)


def read_within(
    services: AppServices,
    cpu_seconds: float | None,
    source: TableSource,
    use: Callable[Concatenate[Table, P], R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Like ``read_stored_file``, with a limit of processor time; None for that of any file."""
    try:
        task = partial(use_table, source, use, *args, **kwargs)
        return services.readers.run_within(cpu_seconds, task)
    except ReadingLimitExceeded as error:
        raise source.build_error(error.message) from None


@contextmanager
def fetch_table_source(
    services: AppServices, file: File, header: Header, *, param: str
) -> Iterator[TableSource]:
    """Copy a stored file to this machine's disk; ``header`` as in a task."""
    with create_scratch_folder(services) as folder:
        path = folder / "file"
        _fetch_content(services, file, path)
        yield TableSource(file.id, path, file.filename, header, get_table_limits(services), param)


def _fetch_content(services: AppServices, file: File, path: Path) -> None:
    try:
        with path.open("wb") as target:
            target.writelines(stream_content(services.storage, file))
    except BlobMissing:
        raise ServiceUnavailable(
            f"The content of file {file.id} is missing from the storage; upload it again."
        ) from None


def get_table_limits(services: AppServices) -> Limits:
    return Limits(max_rows=services.settings.max_rows)


def _validate_upload(path: Path, filename: str, limits: Limits) -> Validation:
    return build_validation(read_table(path, filename, limits=limits))


@contextmanager
def create_scratch_folder(services: AppServices) -> Iterator[Path]:
    """Create a folder on this machine's disk for the duration of a request."""
    root = services.settings.resolved_cache_dir / "uploads"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        yield Path(folder)


def receive_file(source: BinaryIO, path: Path, limit: int, *, param: str = "file") -> ReceivedFile:
    """Copy ``source`` to ``path`` while hashing it. Raises PayloadTooLarge."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge(
                    f"The {param} exceeds the limit of {limit:,} bytes.", param=param
                )
            digest.update(chunk)
            target.write(chunk)
    return ReceivedFile(path, size, digest.hexdigest())
