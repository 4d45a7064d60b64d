"""Uploads in parts on the wire, as the official client speaks of them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.files.schemas import FileObject, Purpose
from shared.db.tables import Upload, UploadPart
from shared.db.uploads import MOST_PARTS
from shared.domain.states import UploadState

PartId = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ExpiresAfter(BaseModel):
    """When the file that comes of it is deleted."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    anchor: Literal["created_at"]
    """From when the seconds count."""
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]
    """An hour to thirty days."""


class UploadRequest(BaseModel):
    """The file that is to come."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    bytes: Annotated[int, Field(ge=1, le=2**53)]
    """Size of the whole file."""
    filename: Annotated[str, StringConstraints(min_length=1)]
    """Of it, the part after the last slash is kept: 1 to 255 printable characters."""
    mime_type: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """Read and not needed: what the file is, its content tells."""
    purpose: Purpose
    """Of the file that it becomes."""
    expires_after: ExpiresAfter | None = None
    """When that file is deleted; without it, it is kept."""


class CompleteRequest(BaseModel):
    """Which parts make the file."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    part_ids: Annotated[list[PartId], Field(min_length=1, max_length=MOST_PARTS)]
    """The parts that make up the file, in its order."""
    md5: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{32}$")] | None = None
    """Digest of the whole file in hexadecimal; another one is refused."""


class UploadPartObject(BaseModel):
    """A part that was taken."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str
    """The upload that it is a part of."""

    @classmethod
    def from_row(cls, part: UploadPart) -> "UploadPartObject":
        return cls(id=part.id, created_at=int(part.created_at), upload_id=part.upload_id)


class UploadObject(BaseModel):
    """A file that comes in parts, and how far it is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    """Size of the whole file, as announced."""
    created_at: int
    expires_at: int
    """When an upload that is still pending is given up, with its parts."""
    filename: str
    """As announced."""
    purpose: str
    """As announced."""
    status: Literal["pending", "completed", "cancelled", "expired"]
    """`pending` takes parts."""
    file: FileObject | None
    """The file that it became; null unless completed, and once that file is deleted."""

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
