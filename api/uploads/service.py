"""An upload in parts: announced, filled in any order, put together once, then a file like any
other.

Parts lie in the storage under the upload's id, so that any process of the service can put them
together.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.files import service as files
from api.files.schemas import FileObject
from api.uploads.schemas import CompleteRequest, UploadObject, UploadRequest
from shared.db.files import Files
from shared.db.tables import File, Upload, UploadPart
from shared.db.uploads import Uploads
from shared.domain import ids
from shared.domain.errors import (
    FileNotFound,
    InvalidValue,
    PayloadTooLarge,
    ServiceUnavailable,
    UploadNotPending,
)
from shared.domain.states import UploadState
from shared.infra.storage import BlobMissing, part_key, parts_prefix


def create_upload(services: AppServices, request: UploadRequest) -> UploadObject:
    """Raises PayloadTooLarge for a file that would be refused once it is whole."""
    if request.bytes > services.settings.max_upload_bytes:
        raise PayloadTooLarge(
            (
                "The file is larger than this service takes "
                f"({services.settings.max_upload_bytes:,} bytes)."
            ),
            param="bytes",
        )
    upload = Upload(
        id=ids.upload_id(),
        owner_id=services.owner_id,
        filename=files.sanitize_filename(request.filename, param="filename"),
        purpose=request.purpose,
        bytes=request.bytes,
        file_expires_after=None if request.expires_after is None else request.expires_after.seconds,
        status=UploadState.PENDING,
        expires_at=0.0,
    )
    with services.database.write() as session:
        Uploads(session, services.owner_id).add(upload)
    return UploadObject.from_row(upload, UploadState.PENDING)


def add_part(services: AppServices, upload_id: str, data: BinaryIO) -> UploadPart:
    """Raises UploadNotFound, UploadNotPending, PayloadTooLarge for more bytes than were
    announced, InvalidValue for none.
    """
    with services.database.read() as session:
        upload = Uploads(session, services.owner_id).pending(upload_id)
    part = UploadPart(id=ids.part_id(), upload_id=upload_id)
    key = part_key(upload_id, part.id)
    with files.create_scratch_folder(services) as folder:
        received = files.receive_file(data, folder / "part", upload.bytes, param="data")
        if not received.bytes:
            raise InvalidValue("The part is empty.", param="data")
        part.bytes = received.bytes
        services.storage.put_file(key, received.path)
    try:
        with services.database.write() as session:
            Uploads(session, services.owner_id).add_part(part)
    except (UploadNotPending, InvalidValue):
        services.storage.delete(key)
        raise
    return part


def complete_upload(
    services: AppServices, upload_id: str, request: CompleteRequest
) -> UploadObject:
    """Put the parts together and store them as an upload in one piece is stored; asked for
    again, the answer is the same.

    Raises UploadNotFound, UploadNotPending, InvalidValue for parts or a digest that do not fit,
    and what ``files.store_file`` raises.
    """
    try:
        _assemble_upload(services, upload_id, request)
    except UploadNotPending:
        with services.database.read() as session:
            upload = Uploads(session, services.owner_id).get(upload_id)
        if upload.status != UploadState.COMPLETED or upload.part_ids != request.part_ids:
            raise
    services.storage.delete_prefix(parts_prefix(upload_id))
    return _get_completed_upload(services, upload_id)


def _assemble_upload(services: AppServices, upload_id: str, request: CompleteRequest) -> None:
    with services.database.read() as session:
        uploads = Uploads(session, services.owner_id)
        upload = uploads.pending(upload_id)
        _check_parts(upload, uploads.parts(upload_id), request.part_ids)

    def mark_completed(session: Session, file: File) -> None:
        uploads = Uploads(session, services.owner_id)
        pending = uploads.pending(
            upload_id, to_change=True
        )  # of two requests that complete it at once, one does
        uploads.end(pending, UploadState.COMPLETED, part_ids=request.part_ids, file_id=file.id)

    with files.create_scratch_folder(services) as folder:
        received = _concatenate_parts(services, upload, request, folder / "upload")
        files.store_file(
            services,
            received,
            upload.filename,
            upload.purpose,
            expires_after=upload.file_expires_after,
            on_insert=mark_completed,
        )


def _check_parts(
    upload: Upload, stored_parts: Mapping[str, UploadPart], part_ids: Sequence[str]
) -> None:
    if len(set(part_ids)) < len(part_ids):
        raise InvalidValue("A part is named twice.", param="part_ids")
    unknown = [part_id for part_id in part_ids if part_id not in stored_parts]
    if unknown:
        raise InvalidValue(f"The upload has no part {unknown[0]!r}.", param="part_ids")
    together = sum(stored_parts[part_id].bytes for part_id in part_ids)
    if together != upload.bytes:
        raise InvalidValue(
            (
                f"The parts have {together:,} bytes together; the upload was announced with "
                f"{upload.bytes:,}."
            ),
            param="part_ids",
        )


def _concatenate_parts(
    services: AppServices, upload: Upload, request: CompleteRequest, path: Path
) -> files.ReceivedFile:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with path.open("wb") as target:
            for part_id in request.part_ids:
                for chunk in services.storage.stream(part_key(upload.id, part_id)):
                    sha256.update(chunk)
                    md5.update(chunk)
                    target.write(chunk)
    except BlobMissing:
        with services.database.read() as session:
            Uploads(session, services.owner_id).pending(
                upload.id
            )  # most likely it was ended by another request
        raise ServiceUnavailable(f"A part of {upload.id} is not in the storage.") from None
    if request.md5 is not None and request.md5.lower() != md5.hexdigest():
        raise InvalidValue(
            f"The parts in this order have the MD5 digest {md5.hexdigest()}.", param="md5"
        )
    return files.ReceivedFile(path, upload.bytes, sha256.hexdigest())


def _get_completed_upload(services: AppServices, upload_id: str) -> UploadObject:
    with services.database.read() as session:
        upload = Uploads(session, services.owner_id).get(upload_id)
        try:
            file = FileObject.from_row(Files(session, services.owner_id).get(upload.file_id or ""))
        except FileNotFound:  # deleted since
            file = None
    return UploadObject.from_row(upload, UploadState.COMPLETED, file)


def cancel_upload(services: AppServices, upload_id: str) -> UploadObject:
    """Forget the upload and its parts; to cancel what is cancelled changes nothing. Raises
    UploadNotFound, UploadNotPending.
    """
    with services.database.write() as session:
        uploads = Uploads(session, services.owner_id)
        upload = uploads.get(upload_id, to_change=True)
        if uploads.state(upload) is not UploadState.CANCELLED:
            upload = uploads.pending(upload_id)
            uploads.end(upload, UploadState.CANCELLED)
    services.storage.delete_prefix(parts_prefix(upload_id))
    return UploadObject.from_row(upload, UploadState.CANCELLED)
