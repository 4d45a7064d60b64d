"""/v1/uploads: a file in parts, as ``client.uploads`` sends it."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, UploadFile

from api.dependencies import PartsDep
from api.errors import problems
from api.unknown_params import refuse_unknown_form
from api.uploads import service
from api.uploads.schemas import CompleteRequest, UploadObject, UploadPartObject, UploadRequest
from shared.datasets import UnreadableFile
from shared.domain.errors import (
    InvalidValue,
    PayloadTooLarge,
    UnsupportedMediaType,
    UploadNotFound,
    UploadNotPending,
)

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post("", responses=problems(PayloadTooLarge))
def create_upload(parts: PartsDep, request: UploadRequest) -> UploadObject:
    """Announce a file that is to come in parts; it is given up an hour later unless it is completed."""
    return service.create(parts, request)


@router.post(
    "/{upload_id}/parts",
    responses=problems(InvalidValue, UploadNotPending, UploadNotFound, PayloadTooLarge),
    dependencies=[Depends(refuse_unknown_form)],
)
def add_upload_part(
    parts: PartsDep,
    upload_id: str,
    data: Annotated[UploadFile, File(description="Some of the file's bytes.")],
) -> UploadPartObject:
    """Add a part; several may be sent at once and in any order."""
    return UploadPartObject.of(service.add_part(parts, upload_id, data.file))


@router.post(
    "/{upload_id}/complete",
    responses=problems(
        InvalidValue, UploadNotPending, UploadNotFound, UnsupportedMediaType, UnreadableFile
    ),
)
def complete_upload(parts: PartsDep, upload_id: str, request: CompleteRequest) -> UploadObject:
    """Make the parts one file, in the order given. It is read at once, as any upload: the answer holds its profile."""
    return service.complete(parts, upload_id, request)


@router.post("/{upload_id}/cancel", responses=problems(UploadNotPending, UploadNotFound))
def cancel_upload(parts: PartsDep, upload_id: str) -> UploadObject:
    """Give the upload up, with its parts."""
    return service.cancel(parts, upload_id)
