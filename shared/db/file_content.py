"""The content of a file's row: a blob of its own, or a zip file of a stored folder."""

from collections.abc import Iterator, Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from shared.db.files import is_digest_used
from shared.db.locks import lock_name
from shared.db.tables import File, Model
from shared.domain.zip_outline import ZipOutline
from shared.infra.storage import Storage
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_file_key


def stream_content(storage: Storage, file: File) -> Iterator[bytes]:
    """Return the content in chunks. Raises BlobMissing at once, not at the first chunk."""
    if file.folder is None or file.zip_outline is None:
        return storage.stream(build_file_key(file.sha256))
    return stream_zip(storage, file.folder, file.zip_outline)


def stream_zip(storage: Storage, folder: str, outline: ZipOutline) -> Iterator[bytes]:
    """Return the zip file in chunks: equal bytes each time. ``folder`` is a prefix of the storage.

    Raises BlobMissing at once if a file is missing or has another size than in the outline.
    """
    sizes = {blob.key: blob.bytes for blob in storage.list(folder)}
    for file in outline.files:
        if sizes.get(f"{folder}/{file.name}") != file.bytes:
            raise BlobMissing(f"{folder}/{file.name}")
    return _join_chunks(storage, folder, outline)


def _join_chunks(storage: Storage, folder: str, outline: ZipOutline) -> Iterator[bytes]:
    for file in outline.files:
        yield file.header
        if file.bytes:
            yield from storage.stream(f"{folder}/{file.name}")
    yield outline.directory


def list_unused_blobs(session: Session, file: File) -> list[str]:
    """Return the storage prefix of a deleted file's content if no row needs it any more.

    The content stays locked until the transaction ends, so that no other row comes to need it.
    """
    if file.folder is not None:
        return list_unused_folders(session, [file.folder])
    lock_name(session, file.sha256)
    return [] if is_digest_used(session, file.sha256) else [build_file_key(file.sha256)]


def list_unused_folders(session: Session, folders: Sequence[str]) -> list[str]:
    """Return those of the stored folders that neither a model nor a zip file needs.

    They stay locked until the transaction ends: of two deletions at the same time, of the model and
    of its zip file, the second sees that the first has taken place.
    """
    for folder in sorted(folders):
        lock_name(session, folder)
    return [folder for folder in folders if not _is_folder_used(session, folder)]


def _is_folder_used(session: Session, folder: str) -> bool:
    of_model, of_file = (
        exists().where(Model.prefix == folder),
        exists().where(File.folder == folder),
    )
    return bool(session.scalar(select(or_(of_model, of_file))))
