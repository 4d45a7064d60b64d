"""/v1/files: upload, list, retrieve, delete, content, validation report."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, File, Form, Query, UploadFile
from fastapi.responses import StreamingResponse

from api.dependencies import ServicesDep, create_page_dependency
from api.errors import document_errors
from api.files import service
from api.files.preview import FilePreview, PreviewOptions, build_preview, read_preview_options
from api.files.schemas import FileDeleted, FileObject, FileValidation, Purpose
from api.pagination import Listing, build_listing
from api.unknown_params import check_form_fields
from shared.datasets import UnreadableFile, build_validation
from shared.db.files import Files
from shared.db.pagination import Page
from shared.domain.errors import (
    FileInUse,
    FileNotFound,
    InvalidRequest,
    InvalidValue,
    ModelNotAllowed,
    ModelNotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from shared.domain.task import TaskRequest
from shared.infra.storage import BlobMissing, file_key

router = APIRouter(prefix="/v1/files", tags=["files"])


@router.post(
    "",
    responses=document_errors(PayloadTooLarge, UnsupportedMediaType, UnreadableFile),
    dependencies=[Depends(check_form_fields)],
)
def create_file(
    services: ServicesDep,
    file: Annotated[
        UploadFile,
        File(
            description="CSV, TSV, JSON Lines or a JSON array, UTF-8, plain or gzip'd; or Parquet."
        ),
    ],
    purpose: Annotated[
        Purpose, Form(description="What it is for; every purpose is treated alike.")
    ] = "fine-tune",
    anchor: Annotated[
        Literal["created_at"] | None,
        Form(
            alias="expires_after[anchor]",
            description="From when the seconds count; with these, or not at all.",
        ),
    ] = None,
    seconds: Annotated[
        int | None,
        Form(
            alias="expires_after[seconds]",
            ge=3600,
            le=2_592_000,
            description=(
                "After so many it is deleted, unless a job needs it then; without, it is kept."
            ),
        ),
    ] = None,
) -> FileObject:
    """Upload a data set. It is read at once: the answer holds its profile, with every problem
    by row number.
    """
    if (anchor is None) != (seconds is None):
        missing = f"expires_after[{'anchor' if anchor is None else 'seconds'}]"
        raise InvalidRequest(f"Required: {missing}.", param=missing)
    filename = service.sanitize_filename(file.filename or "upload", param="file")
    return FileObject.from_row(
        service.create_file(services, file.file, filename, purpose, expires_after=seconds)
    )


@router.get("", responses=document_errors())
def list_files(
    services: ServicesDep,
    page: Annotated[Page, Depends(create_page_dependency(10_000, 10_000))],
    order: Annotated[Literal["asc", "desc"], Query(description="`desc`: newest first.")] = "desc",
    purpose: Annotated[
        str | None, Query(max_length=64, description="Only files with this purpose.")
    ] = None,
) -> Listing[FileObject]:
    """The files, newest first (or oldest first), by pages."""
    with services.database.read() as session:
        ordered = page._replace(descending=order == "desc")
        files, more = Files(session, services.owner_id).page(ordered, purpose)
    return build_listing([FileObject.from_row(file, with_profile=False) for file in files], more)


@router.get("/{file_id}", responses=document_errors(FileNotFound))
def retrieve_file(services: ServicesDep, file_id: str) -> FileObject:
    """A file with its profile."""
    with services.database.read() as session:
        return FileObject.from_row(Files(session, services.owner_id).get(file_id, param="file_id"))


@router.delete("/{file_id}", responses=document_errors(FileNotFound, FileInUse))
def delete_file(services: ServicesDep, file_id: str) -> FileDeleted:
    """Delete a file that no open job needs."""
    service.delete_file(services, file_id)
    return FileDeleted(id=file_id)


@router.get(
    "/{file_id}/content",
    summary="Download the content of a file",
    response_class=StreamingResponse,
    responses=document_errors(FileNotFound)
    | {200: {"content": {"application/octet-stream": {}}, "description": "The bytes"}},
)
def file_content(services: ServicesDep, file_id: str) -> StreamingResponse:
    """The bytes as they were uploaded (or, of a result file, made)."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    try:
        chunks = services.storage.stream(file_key(file.sha256))
    except BlobMissing:
        raise FileNotFound(
            f"The content of {file_id} is gone from the storage.", param="file_id"
        ) from None
    headers = {
        "content-length": str(file.bytes),
        "content-disposition": _format_content_disposition(file.filename),
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.get(
    "/{file_id}/validation",
    summary="Read the validation report of a file",
    responses=document_errors(FileNotFound),
)
def file_validation(services: ServicesDep, file_id: str) -> FileValidation:
    """The report made at upload."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    if file.validation is None:
        raise FileNotFound(
            f"{file_id} is a result file; it has no validation report.", param="file_id"
        )
    stored: dict[str, Any] = file.validation
    return FileValidation(file_id=file_id, **stored)


@router.get(
    "/{file_id}/preview",
    responses=document_errors(FileNotFound, ModelNotFound, ModelNotAllowed, InvalidValue),
)
def preview_file(
    services: ServicesDep,
    file_id: str,
    options: Annotated[PreviewOptions, Depends(read_preview_options)],
) -> FilePreview:
    """The first rows as a model's tokenizer cuts them up, and which of them are too long for it."""
    return build_preview(services, file_id, options)


@router.post("/{file_id}/validate", responses=document_errors(FileNotFound, InvalidValue))
def validate_file(
    services: ServicesDep,
    file_id: str,
    task: Annotated[TaskRequest, Body(embed=True, default_factory=TaskRequest)],
) -> FileValidation:
    """The report for columns mapped as ``task`` says, for files whose columns cannot be known
    at upload.
    """
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    with service.open_table(
        services, file, task.header, param="file_id" if task.header == "auto" else "task.header"
    ) as table:
        return FileValidation(file_id=file_id, **build_validation(table, task).model_dump())


def _format_content_disposition(filename: str) -> str:
    """RFC 6266: the name twice, for clients that read the old parameter alone (curl) and for
    those that know the new one.
    """
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
