"""Uploads in parts: announce, receive parts in any order, concatenate them into a file.

Parts are stored under the upload's ID, so that any process of the service can complete it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from api.blob_deletion import delete_blobs
from api.dependencies import AppServices
from api.files import service as files
from api.files.schemas import FileObject
from api.uploads.schemas import CompleteRequest, UploadObject, UploadRequest
from shared.db.files import Files
from shared.db.owner_limits import lock_owner_usage
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
from shared.infra.storage_errors import BlobMissing
from shared.infra.storage_keys import build_part_key, build_parts_prefix


def create_upload(services: AppServices, request: UploadRequest) -> UploadObject:
    """Announce an upload.

    Raises PayloadTooLarge, StoredBytesLimit or FilesLimit if the whole file would be refused.
    """
    _require_size_within_limit(request.bytes, files.get_size_limit(services, request.purpose))
    upload = Upload(
        id=ids.make_upload_id(),
        owner_id=services.owner_id,
        filename=files.sanitize_filename(request.filename, param="filename"),
        purpose=request.purpose,
        bytes=request.bytes,
        file_expires_after=None if request.expires_after is None else request.expires_after.seconds,
        status=UploadState.PENDING,
        expires_at=0.0,
    )
    with services.database.write() as session:
        lock_owner_usage(session, services.owner_id, services.settings).require_room_for_file(
            request.bytes
        )
        Uploads(session, services.owner_id).add(upload)
    return UploadObject.from_row(upload, UploadState.PENDING)


def _require_size_within_limit(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(f"The file exceeds the limit of {limit:,} bytes.", param="bytes")


def add_part(services: AppServices, upload_id: str, data: BinaryIO) -> UploadPart:
    """Store a part.

    Raises UploadNotFound, UploadNotPending, PayloadTooLarge for more bytes than announced, and
    InvalidValue for an empty part.
    """
    with services.database.read() as session:
        upload = Uploads(session, services.owner_id).get_pending(upload_id)
    part = _store_part(services, upload, data)
    try:
        with services.database.write() as session:
            Uploads(session, services.owner_id).add_part(part)
    except (UploadNotPending, InvalidValue):
        services.storage.delete(build_part_key(upload_id, part.id))
        raise
    return part


def _store_part(services: AppServices, upload: Upload, data: BinaryIO) -> UploadPart:
    """Store the content of a part, and return its row."""
    part = UploadPart(id=ids.make_part_id(), upload_id=upload.id)
    with files.create_scratch_folder(services) as folder:
        received = files.receive_file(data, folder / "part", upload.bytes, param="data")
        if not received.bytes:
            raise InvalidValue("The part is empty; send at least one byte.", param="data")
        part.bytes = received.bytes
        services.storage.put_file(build_part_key(upload.id, part.id), received.path)
    return part


def complete_upload(
    services: AppServices, upload_id: str, request: CompleteRequest
) -> UploadObject:
    """Concatenate the parts and store the file; repeating the request gives the same response.

    Raises UploadNotFound, UploadNotPending, InvalidValue for parts or a digest that do not match,
    and what ``files.store_file`` raises.
    """
    try:
        _assemble_upload(services, upload_id, request)
    except UploadNotPending:
        with services.database.read() as session:
            upload = Uploads(session, services.owner_id).get(upload_id)
        if upload.status != UploadState.COMPLETED or upload.part_ids != request.part_ids:
            raise
    delete_blobs(services, [build_parts_prefix(upload_id)])
    return _get_completed_upload(services, upload_id)


def _assemble_upload(services: AppServices, upload_id: str, request: CompleteRequest) -> None:
    with services.database.read() as session:
        uploads = Uploads(session, services.owner_id)
        upload = uploads.get_pending(upload_id)
        _check_parts(upload, uploads.get_parts_by_id(upload_id), request.part_ids)

    def mark_completed(session: Session, file: File) -> None:
        uploads = Uploads(session, services.owner_id)
        # locked: of two requests that complete the upload at once, one succeeds
        pending = uploads.get_pending(upload_id, for_update=True)
        uploads.finish_upload(
            pending, UploadState.COMPLETED, part_ids=request.part_ids, file_id=file.id
        )

    details = files.FileDetails(upload.filename, upload.purpose, upload.file_expires_after)
    with files.create_scratch_folder(services) as folder:
        received = _concatenate_parts(services, upload, request, folder / "upload")
        files.store_file(services, received, details, on_insert=mark_completed)


def _check_parts(
    upload: Upload, stored_parts: Mapping[str, UploadPart], part_ids: Sequence[str]
) -> None:
    if len(set(part_ids)) < len(part_ids):
        raise InvalidValue("A part is listed twice; list each part once.", param="part_ids")
    unknown = [part_id for part_id in part_ids if part_id not in stored_parts]
    if unknown:
        raise InvalidValue(
            f"The upload has no part {unknown[0]!r}; list IDs of its parts.", param="part_ids"
        )
    total = sum(stored_parts[part_id].bytes for part_id in part_ids)
    if total != upload.bytes:
        raise InvalidValue(
            f"The listed parts have {total:,} bytes in total, but the upload was announced with "
            f"{upload.bytes:,}; list every part once.",
            param="part_ids",
        )


def _concatenate_parts(
    services: AppServices, upload: Upload, request: CompleteRequest, path: Path
) -> files.ReceivedFile:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with path.open("wb") as target:
            for part_id in request.part_ids:
                for chunk in services.storage.stream(build_part_key(upload.id, part_id)):
                    sha256.update(chunk)
                    md5.update(chunk)
                    target.write(chunk)
    except BlobMissing:
        _require_pending(services, upload.id)  # another request has probably ended the upload
        raise ServiceUnavailable(
            f"A part of {upload.id} is missing from the storage; upload the file again."
        ) from None
    _check_md5(request.md5, md5.hexdigest())
    return files.ReceivedFile(path, upload.bytes, sha256.hexdigest())


def _require_pending(services: AppServices, upload_id: str) -> None:
    with services.database.read() as session:
        Uploads(session, services.owner_id).get_pending(upload_id)


def _check_md5(expected: str | None, actual: str) -> None:
    if expected is not None and expected.lower() != actual:
        raise InvalidValue(
            f"The parts in this order have the MD5 digest {actual}, not the given one; check their "
            "order and content.",
            param="md5",
        )


def _get_completed_upload(services: AppServices, upload_id: str) -> UploadObject:
    with services.database.read() as session:
        upload = Uploads(session, services.owner_id).get(upload_id)
        try:
            file = FileObject.from_row(Files(session, services.owner_id).get(upload.file_id or ""))
        except FileNotFound:  # deleted after the upload was completed
            file = None
    return UploadObject.from_row(upload, UploadState.COMPLETED, file)


def cancel_upload(services: AppServices, upload_id: str) -> UploadObject:
    """Cancel the upload and delete its parts; cancelling it again has no effect.

    Raises UploadNotFound, UploadNotPending.
    """

    def cancel_row() -> Upload:
        with services.database.write() as session:
            uploads = Uploads(session, services.owner_id)
            upload = uploads.get(upload_id, for_update=True)
            if uploads.get_state(upload) is not UploadState.CANCELLED:
                upload = uploads.get_pending(upload_id)
                uploads.finish_upload(upload, UploadState.CANCELLED)
            return upload

    upload = services.disk_reserve.run_deletion(cancel_row)
    delete_blobs(services, [build_parts_prefix(upload_id)])
    return UploadObject.from_row(upload, UploadState.CANCELLED)
