"""Routes below /v1/uploads: files uploaded in parts, as the official client sends them."""

from typing import Annotated

from fastapi import APIRouter, Depends, File, UploadFile

from api.dependencies import ServicesDep
from api.errors import document_errors
from api.path_parameters import UploadIdPath
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
from shared.domain.limit_errors import FILE_LIMITS, ServiceBusy
from shared.encoders.archive.errors import UnusableArchive

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post("", responses=document_errors(PayloadTooLarge, *FILE_LIMITS))
def create_upload(services: ServicesDep, request: UploadRequest) -> UploadObject:
    """Announce a file that will be sent in parts.

    The upload expires after an hour if it is not completed.
    """
    return service.create_upload(services, request)


@router.post(
    "/{upload_id}/parts",
    responses=document_errors(
        InvalidValue, UploadNotPending, UploadNotFound, PayloadTooLarge, ServiceBusy
    ),
    dependencies=[Depends(check_form_fields)],
)
async def add_upload_part(
    services: ServicesDep,
    upload_id: UploadIdPath,
    data: Annotated[UploadFile, File(description="Content of the part.")],
) -> UploadPartObject:
    """Add a part; parts may be sent concurrently and in any order."""
    part = await services.heavy.uploads.run(
        services.owner_id, service.add_part, services, upload_id, data.file
    )
    return UploadPartObject.from_row(part)


@router.post(
    "/{upload_id}/complete",
    responses=document_errors(
        InvalidValue,
        UploadNotPending,
        UploadNotFound,
        UnsupportedMediaType,
        UnreadableFile,
        UnusableArchive,
        ServiceBusy,
        *FILE_LIMITS,
    ),
)
async def complete_upload(
    services: ServicesDep, upload_id: UploadIdPath, request: CompleteRequest
) -> UploadObject:
    """Concatenate the parts, in the given order, into one file.

    The file is checked before the response: a data set, which has its profile, or a model.
    """
    return await services.heavy.uploads.run(
        services.owner_id, service.complete_upload, services, upload_id, request
    )


@router.post("/{upload_id}/cancel", responses=document_errors(UploadNotPending, UploadNotFound))
def cancel_upload(services: ServicesDep, upload_id: UploadIdPath) -> UploadObject:
    """Cancel the upload and delete its parts."""
    return service.cancel_upload(services, upload_id)
