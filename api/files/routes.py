"""Routes below /v1/files: upload, list, download, check, preview and delete files."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, File, Form, Query, UploadFile
from fastapi.responses import StreamingResponse

from api.dependencies import ServicesDep, create_page_dependency
from api.errors import document_errors
from api.files import listing, service
from api.files.download import stream_file
from api.files.preview import build_preview
from api.files.preview_schemas import FilePreview, PreviewOptions, read_preview_options
from api.files.reading import validate_for_task
from api.files.schemas import FileDeleted, FileObject, FileValidation, Purpose
from api.pagination import Listing, build_listing
from api.path_parameters import FileIdPath
from api.unknown_params import check_form_fields
from shared.datasets import UnreadableFile
from shared.db.files import Files
from shared.db.pagination import PageRequest
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
from shared.domain.limit_errors import FILE_LIMITS, ServiceBusy
from shared.domain.task import TaskRequest
from shared.encoders.archive.errors import UnusableArchive

router = APIRouter(prefix="/v1/files", tags=["files"])

TableForm = Annotated[
    UploadFile,
    File(
        description="A table: CSV, TSV, JSON Lines or a JSON array in UTF-8, plain or "
        "gzip-compressed; or Parquet. With the purpose `model`, a zip file of a model's folder."
    ),
]
PurposeForm = Annotated[
    Purpose,
    Form(
        description="`model`: an encoder that jobs can start from. The others mean a data set; "
        "which of them it is has no effect."
    ),
]
ExpiryAnchorForm = Annotated[
    Literal["created_at"] | None,
    Form(
        alias="expires_after[anchor]",
        description="Start of the period `expires_after[seconds]`; give both or neither.",
    ),
]
ExpirySecondsForm = Annotated[
    int | None,
    Form(
        alias="expires_after[seconds]",
        ge=3600,
        le=2_592_000,
        description="Seconds until the file is deleted, or longer while a job needs it; default: "
        "the file is kept.",
    ),
]
TaskBody = Annotated[
    TaskRequest,
    Body(
        embed=True,
        default_factory=TaskRequest,
        description="How to read the file; settings that are left out are detected.",
    ),
]


@router.post(
    "",
    responses=document_errors(
        PayloadTooLarge,
        UnsupportedMediaType,
        UnreadableFile,
        UnusableArchive,
        ServiceBusy,
        *FILE_LIMITS,
    ),
    dependencies=[Depends(check_form_fields)],
)
async def create_file(
    services: ServicesDep,
    file: TableForm,
    purpose: PurposeForm = "fine-tune",
    anchor: ExpiryAnchorForm = None,
    seconds: ExpirySecondsForm = None,
) -> FileObject:
    """Upload a data set, or a model to start jobs from.

    A data set is checked before the response, which has its profile and its problems by row number.
    A model is unpacked and checked; its ID is then the `model` of jobs, and so is its file name
    without `.zip`.
    """
    _require_whole_expiry(anchor, seconds)
    filename = service.sanitize_filename(file.filename or "upload", param="file")
    details = service.FileDetails(filename, purpose, seconds)
    row = await services.heavy.uploads.run(
        services.owner_id, service.create_file, services, file.file, details
    )
    return FileObject.from_row(row)


def _require_whole_expiry(anchor: str | None, seconds: int | None) -> None:
    """Raise InvalidRequest if only one of the two form fields is given."""
    if (anchor is None) == (seconds is None):
        return
    missing = f"expires_after[{'anchor' if anchor is None else 'seconds'}]"
    raise InvalidRequest(
        f"{missing} is missing; expires_after needs both anchor and seconds.", param=missing
    )


@router.get("", responses=document_errors())
def list_files(
    services: ServicesDep,
    page: Annotated[PageRequest, Depends(create_page_dependency(10_000, 10_000))],
    order: Annotated[
        Literal["asc", "desc"], Query(description="`desc`: newest first; `asc`: oldest first.")
    ] = "desc",
    purpose: Annotated[
        str | None, Query(max_length=64, description="Return only files with this purpose.")
    ] = None,
) -> Listing[FileObject]:
    """List files, newest or oldest first."""
    ordered = page._replace(descending=order == "desc")
    return build_listing(*listing.list_files(services, ordered, purpose))


@router.get("/{file_id}", responses=document_errors(FileNotFound))
def retrieve_file(services: ServicesDep, file_id: FileIdPath) -> FileObject:
    """Return a file with its profile."""
    return listing.get_file(services, file_id)


@router.delete("/{file_id}", responses=document_errors(FileNotFound, FileInUse))
def delete_file(services: ServicesDep, file_id: FileIdPath) -> FileDeleted:
    """Delete a file, unless an open job needs it."""
    service.delete_file(services, file_id)
    return FileDeleted(id=file_id)


@router.get(
    "/{file_id}/content",
    summary="Download the content of a file",
    response_class=StreamingResponse,
    responses=document_errors(FileNotFound)
    | {
        200: {
            "content": {"application/octet-stream": {}},
            "description": "The content of the file.",
        }
    },
)
def file_content(services: ServicesDep, file_id: FileIdPath) -> StreamingResponse:
    """Return the content of the file, byte for byte as uploaded."""
    return stream_file(services, file_id)


@router.get(
    "/{file_id}/validation",
    summary="Read the validation report of a file",
    responses=document_errors(FileNotFound),
)
def file_validation(services: ServicesDep, file_id: FileIdPath) -> FileValidation:
    """Return the validation report that was made on upload."""
    with services.database.read() as session:
        file = Files(session, services.owner_id).get(file_id, param="file_id")
    if file.validation is None:
        raise FileNotFound(
            f"File {file_id} is not a data set, so it has no validation report.", param="file_id"
        )
    return FileValidation(file_id=file_id, **dict(file.validation))


@router.get(
    "/{file_id}/preview",
    responses=document_errors(
        FileNotFound, ModelNotFound, ModelNotAllowed, InvalidValue, ServiceBusy
    ),
)
async def preview_file(
    services: ServicesDep,
    file_id: FileIdPath,
    options: Annotated[PreviewOptions, Depends(read_preview_options)],
) -> FilePreview:
    """Return the first rows as a model's tokenizer splits them, and which are truncated."""
    return await services.heavy.plans.run(
        services.owner_id, build_preview, services, file_id, options
    )


@router.post(
    "/{file_id}/validate", responses=document_errors(FileNotFound, InvalidValue, ServiceBusy)
)
async def validate_file(
    services: ServicesDep, file_id: FileIdPath, task: TaskBody
) -> FileValidation:
    """Validate the file with the columns that `task` names.

    Use this if the columns could not be detected on upload.
    """
    validation = await services.heavy.plans.run(
        services.owner_id, validate_for_task, services, file_id, task
    )
    return FileValidation(file_id=file_id, **validation.model_dump())
