"""An upload in parts: announced, filled in any order, put together once, then a file like any other.

Parts lie in the storage under the upload's id, so that any process of the service can put them together.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.orm import Session

from api.dependencies import Parts
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


def create(parts: Parts, request: UploadRequest) -> UploadObject:
    """Raises PayloadTooLarge for a file that would be refused once it is whole."""
    if request.bytes > parts.settings.max_upload_bytes:
        raise PayloadTooLarge(
            f"The file is larger than this service takes ({parts.settings.max_upload_bytes:,} bytes).",
            param="bytes",
        )
    upload = Upload(
        id=ids.upload_id(),
        owner_id=parts.owner_id,
        filename=files.plain_name(request.filename, param="filename"),
        purpose=request.purpose,
        bytes=request.bytes,
        file_expires_after=None if request.expires_after is None else request.expires_after.seconds,
        status=UploadState.PENDING,
        expires_at=0.0,
    )
    with parts.database.write() as session:
        Uploads(session, parts.owner_id).add(upload)
    return UploadObject.of(upload, UploadState.PENDING)


def add_part(parts: Parts, upload_id: str, data: BinaryIO) -> UploadPart:
    """Raises UploadNotFound, UploadNotPending, PayloadTooLarge for more bytes than were announced, InvalidValue for none."""
    with parts.database.read() as session:
        upload = Uploads(session, parts.owner_id).pending(upload_id)
    part = UploadPart(id=ids.part_id(), upload_id=upload_id)
    key = part_key(upload_id, part.id)
    with files.scratch(parts) as folder:
        received = files.receive(data, folder / "part", upload.bytes, param="data")
        if not received.bytes:
            raise InvalidValue("The part is empty.", param="data")
        part.bytes = received.bytes
        parts.storage.put_file(key, received.path)
    try:
        with parts.database.write() as session:
            Uploads(session, parts.owner_id).add_part(part)
    except (UploadNotPending, InvalidValue):
        parts.storage.delete(key)
        raise
    return part


def complete(parts: Parts, upload_id: str, request: CompleteRequest) -> UploadObject:
    """Put the parts together and store them as an upload in one piece is stored; asked for again, the answer is the same.

    Raises UploadNotFound, UploadNotPending, InvalidValue for parts or a digest that do not fit, and what ``files.store`` raises.
    """
    try:
        _complete(parts, upload_id, request)
    except UploadNotPending:
        with parts.database.read() as session:
            upload = Uploads(session, parts.owner_id).get(upload_id)
        if upload.status != UploadState.COMPLETED or upload.part_ids != request.part_ids:
            raise
    parts.storage.delete_prefix(parts_prefix(upload_id))
    return _completed(parts, upload_id)


def _complete(parts: Parts, upload_id: str, request: CompleteRequest) -> None:
    with parts.database.read() as session:
        uploads = Uploads(session, parts.owner_id)
        upload = uploads.pending(upload_id)
        _refuse_unfit(upload, uploads.parts(upload_id), request.part_ids)

    def end(session: Session, file: File) -> None:
        uploads = Uploads(session, parts.owner_id)
        pending = uploads.pending(
            upload_id, to_change=True
        )  # of two requests that complete it at once, one does
        uploads.end(pending, UploadState.COMPLETED, part_ids=request.part_ids, file_id=file.id)

    with files.scratch(parts) as folder:
        received = _put_together(parts, upload, request, folder / "upload")
        files.store(
            parts,
            received,
            upload.filename,
            upload.purpose,
            expires_after=upload.file_expires_after,
            also=end,
        )


def _refuse_unfit(
    upload: Upload, stored: Mapping[str, UploadPart], part_ids: Sequence[str]
) -> None:
    if len(set(part_ids)) < len(part_ids):
        raise InvalidValue("A part is named twice.", param="part_ids")
    unknown = [part_id for part_id in part_ids if part_id not in stored]
    if unknown:
        raise InvalidValue(f"The upload has no part {unknown[0]!r}.", param="part_ids")
    together = sum(stored[part_id].bytes for part_id in part_ids)
    if together != upload.bytes:
        raise InvalidValue(
            f"The parts have {together:,} bytes together; the upload was announced with {upload.bytes:,}.",
            param="part_ids",
        )


def _put_together(
    parts: Parts, upload: Upload, request: CompleteRequest, path: Path
) -> files.Received:
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        with path.open("wb") as target:
            for part_id in request.part_ids:
                for chunk in parts.storage.stream(part_key(upload.id, part_id)):
                    sha256.update(chunk)
                    md5.update(chunk)
                    target.write(chunk)
    except BlobMissing:
        with parts.database.read() as session:
            Uploads(session, parts.owner_id).pending(
                upload.id
            )  # most likely it was ended by another request
        raise ServiceUnavailable(f"A part of {upload.id} is not in the storage.") from None
    if request.md5 is not None and request.md5.lower() != md5.hexdigest():
        raise InvalidValue(
            f"The parts in this order have the MD5 digest {md5.hexdigest()}.", param="md5"
        )
    return files.Received(path, upload.bytes, sha256.hexdigest())


def _completed(parts: Parts, upload_id: str) -> UploadObject:
    with parts.database.read() as session:
        upload = Uploads(session, parts.owner_id).get(upload_id)
        try:
            file = FileObject.of(Files(session, parts.owner_id).get(upload.file_id or ""))
        except FileNotFound:  # deleted since
            file = None
    return UploadObject.of(upload, UploadState.COMPLETED, file)


def cancel(parts: Parts, upload_id: str) -> UploadObject:
    """Forget the upload and its parts; to cancel what is cancelled changes nothing. Raises UploadNotFound, UploadNotPending."""
    with parts.database.write() as session:
        uploads = Uploads(session, parts.owner_id)
        upload = uploads.get(upload_id, to_change=True)
        if uploads.state(upload) is not UploadState.CANCELLED:
            upload = uploads.pending(upload_id)
            uploads.end(upload, UploadState.CANCELLED)
    parts.storage.delete_prefix(parts_prefix(upload_id))
    return UploadObject.of(upload, UploadState.CANCELLED)
