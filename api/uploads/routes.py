"""/v1/uploads: a file in parts, as ``client.uploads`` sends it."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, UploadFile

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.unknown_params import check_form_fields
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


@router.post("", responses=document_errors(PayloadTooLarge))
def create_upload(services: ServicesDep, request: UploadRequest) -> UploadObject:
    """Announce a file that is to come in parts; it is given up an hour later unless it is
    completed.
    """
    return service.create_upload(services, request)


@router.post(
    "/{upload_id}/parts",
    responses=document_errors(InvalidValue, UploadNotPending, UploadNotFound, PayloadTooLarge),
    dependencies=[Depends(check_form_fields)],
)
def add_upload_part(
    services: ServicesDep,
    upload_id: str,
    data: Annotated[UploadFile, File(description="Some of the file's bytes.")],
) -> UploadPartObject:
    """Add a part; several may be sent at once and in any order."""
    return UploadPartObject.from_row(service.add_part(services, upload_id, data.file))


@router.post(
    "/{upload_id}/complete",
    responses=document_errors(
        InvalidValue, UploadNotPending, UploadNotFound, UnsupportedMediaType, UnreadableFile
    ),
)
def complete_upload(
    services: ServicesDep, upload_id: str, request: CompleteRequest
) -> UploadObject:
    """Make the parts one file, in the order given. It is read at once, as any upload: the
    answer holds its profile.
    """
    return service.complete_upload(services, upload_id, request)


@router.post("/{upload_id}/cancel", responses=document_errors(UploadNotPending, UploadNotFound))
def cancel_upload(services: ServicesDep, upload_id: str) -> UploadObject:
    """Give the upload up, with its parts."""
    return service.cancel_upload(services, upload_id)
