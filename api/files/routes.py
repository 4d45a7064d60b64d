"""/v1/files: upload, list, retrieve, delete, content, validation report."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, File, Form, Query, UploadFile
from fastapi.responses import StreamingResponse

from api.dependencies import PartsDep, paging
from api.errors import problems
from api.files import service
from api.files.preview import FilePreview, Wanted, preview, wanted
from api.files.schemas import FileDeleted, FileObject, FileValidation, Purpose
from api.pagination import Listing, listing
from api.unknown_params import refuse_unknown_form
from shared.datasets import UnreadableFile, validate
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
    responses=problems(PayloadTooLarge, UnsupportedMediaType, UnreadableFile),
    dependencies=[Depends(refuse_unknown_form)],
)
def create_file(
    parts: PartsDep,
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
            description="After so many it is deleted, unless a job needs it then; without, it is kept.",
        ),
    ] = None,
) -> FileObject:
    """Upload a data set. It is read at once: the answer holds its profile, with every problem by row number."""
    if (anchor is None) != (seconds is None):
        missing = f"expires_after[{'anchor' if anchor is None else 'seconds'}]"
        raise InvalidRequest(f"Required: {missing}.", param=missing)
    filename = service.plain_name(file.filename or "upload", param="file")
    return FileObject.of(service.create(parts, file.file, filename, purpose, expires_after=seconds))


@router.get("", responses=problems())
def list_files(
    parts: PartsDep,
    page: Annotated[Page, Depends(paging(10_000, 10_000))],
    order: Annotated[Literal["asc", "desc"], Query(description="`desc`: newest first.")] = "desc",
    purpose: Annotated[
        str | None, Query(max_length=64, description="Only files with this purpose.")
    ] = None,
) -> Listing[FileObject]:
    """The files, newest first (or oldest first), by pages."""
    with parts.database.read() as session:
        ordered = page._replace(descending=order == "desc")
        files, more = Files(session, parts.owner_id).page(ordered, purpose)
    return listing([FileObject.of(file, with_profile=False) for file in files], more)


@router.get("/{file_id}", responses=problems(FileNotFound))
def retrieve_file(parts: PartsDep, file_id: str) -> FileObject:
    """A file with its profile."""
    with parts.database.read() as session:
        return FileObject.of(Files(session, parts.owner_id).get(file_id, param="file_id"))


@router.delete("/{file_id}", responses=problems(FileNotFound, FileInUse))
def delete_file(parts: PartsDep, file_id: str) -> FileDeleted:
    """Delete a file that no open job needs."""
    service.delete(parts, file_id)
    return FileDeleted(id=file_id)


@router.get(
    "/{file_id}/content",
    summary="Download the content of a file",
    response_class=StreamingResponse,
    responses=problems(FileNotFound)
    | {200: {"content": {"application/octet-stream": {}}, "description": "The bytes"}},
)
def file_content(parts: PartsDep, file_id: str) -> StreamingResponse:
    """The bytes as they were uploaded (or, of a result file, made)."""
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param="file_id")
    try:
        chunks = parts.storage.stream(file_key(file.sha256))
    except BlobMissing:
        raise FileNotFound(
            f"The content of {file_id} is gone from the storage.", param="file_id"
        ) from None
    headers = {
        "content-length": str(file.bytes),
        "content-disposition": _attachment(file.filename),
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(chunks, media_type="application/octet-stream", headers=headers)


@router.get(
    "/{file_id}/validation",
    summary="Read the validation report of a file",
    responses=problems(FileNotFound),
)
def file_validation(parts: PartsDep, file_id: str) -> FileValidation:
    """The report made at upload."""
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param="file_id")
    if file.validation is None:
        raise FileNotFound(
            f"{file_id} is a result file; it has no validation report.", param="file_id"
        )
    stored: dict[str, Any] = file.validation
    return FileValidation(file_id=file_id, **stored)


@router.get(
    "/{file_id}/preview",
    responses=problems(FileNotFound, ModelNotFound, ModelNotAllowed, InvalidValue),
)
def preview_file(
    parts: PartsDep, file_id: str, asked: Annotated[Wanted, Depends(wanted)]
) -> FilePreview:
    """The first rows as a model's tokenizer cuts them up, and which of them are too long for it."""
    return preview(parts, file_id, asked)


@router.post("/{file_id}/validate", responses=problems(FileNotFound, InvalidValue))
def validate_file(
    parts: PartsDep,
    file_id: str,
    task: Annotated[TaskRequest, Body(embed=True, default_factory=TaskRequest)],
) -> FileValidation:
    """The report for columns mapped as ``task`` says, for files whose columns cannot be known at upload."""
    with parts.database.read() as session:
        file = Files(session, parts.owner_id).get(file_id, param="file_id")
    with service.opened(
        parts, file, task.header, param="file_id" if task.header == "auto" else "task.header"
    ) as table:
        return FileValidation(file_id=file_id, **validate(table, task).model_dump())


def _attachment(filename: str) -> str:
    """RFC 6266: the name twice, for clients that read the old parameter alone (curl) and for those that know the new one."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
