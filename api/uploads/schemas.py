"""Request and response schemas of uploads in parts, with the official client's fields."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.files.schemas import FileObject, Purpose
from api.strict_request import StrictRequest
from shared.db.tables import Upload, UploadPart
from shared.db.uploads import MAX_PARTS
from shared.domain.states import UploadState

PartId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ExpiresAfter(StrictRequest):
    """Time after which the resulting file is deleted."""

    anchor: Literal["created_at"]
    """Start of the period `seconds`."""
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]
    """Seconds until the deletion, from an hour to thirty days."""


class UploadRequest(StrictRequest):
    """A file to upload in parts."""

    bytes: Annotated[int, Field(ge=1, le=2**53)]
    """Size of the whole file in bytes."""
    filename: Annotated[str, StringConstraints(min_length=1)]
    """Name of the file, 1 to 255 printable characters; folders are removed."""
    mime_type: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Accepted and ignored: the format is detected from the content."""
    purpose: Purpose
    """Purpose of the resulting file."""
    expires_after: ExpiresAfter | None = None
    """Time after which the file is deleted; default: the file is kept."""


class CompleteRequest(StrictRequest):
    """The parts of the file, in order."""

    part_ids: Annotated[list[PartId], Field(min_length=1, max_length=MAX_PARTS)]
    """IDs of the parts, in the order of the file."""
    md5: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{32}$")] | None = None
    """Expected MD5 digest of the whole file, in hexadecimal."""


class UploadPartObject(BaseModel):
    """A stored part of an upload."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique ID of the part."""
    object: Literal["upload.part"] = "upload.part"
    """Kind of object."""
    created_at: int
    """Creation time, Unix seconds."""
    upload_id: str
    """ID of the upload."""

    @classmethod
    def from_row(cls, part: UploadPart) -> "UploadPartObject":
        return cls(id=part.id, created_at=int(part.created_at), upload_id=part.upload_id)


class UploadObject(BaseModel):
    """An upload in parts, and its state."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique ID of the upload."""
    object: Literal["upload"] = "upload"
    """Kind of object."""
    bytes: int
    """Announced size of the whole file in bytes."""
    created_at: int
    """Creation time, Unix seconds."""
    expires_at: int
    """Time at which the upload expires if it is still pending, Unix seconds."""
    filename: str
    """Announced name of the file."""
    purpose: str
    """Announced purpose of the file."""
    status: Literal["pending", "completed", "cancelled", "expired"]
    """State of the upload; only a `pending` one accepts parts."""
    file: FileObject | None
    """The resulting file; null until the upload is completed, and after the file is deleted."""

    @classmethod
    def from_row(
        cls, upload: Upload, state: UploadState, file: FileObject | None = None
    ) -> "UploadObject":
        return cls(
            id=upload.id,
            bytes=upload.bytes,
            created_at=int(upload.created_at),
            expires_at=int(upload.expires_at),
            filename=upload.filename,
            purpose=upload.purpose,
            status=state.value,
            file=file,
        )
