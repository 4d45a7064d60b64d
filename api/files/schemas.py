"""Response schemas of files: the official client's fields, with the profile as an addition."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api.pagination import Identified
from shared.datasets.profile.schemas import Validation
from shared.db.tables import File

Purpose = Literal["fine-tune", "user_data", "evals", "model"]


class FileObject(Identified):
    """An uploaded data set or model, or a result file of a job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["file"] = "file"
    """Kind of object."""
    bytes: int
    """Size of the file in bytes."""
    created_at: int
    """Creation time, Unix seconds."""
    expires_at: int | None
    """Time of deletion, Unix seconds; null if the file is kept."""
    filename: str
    """Name of the uploaded file, without folders."""
    purpose: str
    """Purpose given at upload (`model` for a model), or `fine-tune-results` for result files of
    jobs. `evals` is returned as `user_data`, because the official client does not accept `evals`
    here."""
    status: str
    """Always `processed`: files are read on upload, and unreadable ones are not stored."""
    status_details: str | None
    """One-line summary of the content."""
    sha256: str
    """SHA-256 digest of the content; files with equal content are stored once."""
    profile: Validation | None
    """Rows, columns, labels, text lengths and problems of the file; null for result files and in
    lists."""

    @classmethod
    def from_row(cls, file: File, *, with_profile: bool = True) -> "FileObject":
        profile = file.validation if with_profile else None
        return cls(
            id=file.id,
            bytes=file.bytes,
            created_at=int(file.created_at),
            expires_at=None if file.expires_at is None else int(file.expires_at),
            filename=file.filename,
            purpose="user_data" if file.purpose == "evals" else file.purpose,
            status=file.status,
            status_details=file.status_details,
            sha256=file.sha256,
            profile=profile,
        )


class FileDeleted(BaseModel):
    """Confirmation that a file was deleted."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """ID of the deleted file."""
    object: Literal["file"] = "file"
    """Kind of object."""
    deleted: Literal[True] = True
    """Always true."""


class FileValidation(Validation):
    """A file's validation report; row numbers count data rows from 1."""

    object: Literal["file.validation"] = "file.validation"
    """Kind of object."""
    file_id: str
    """ID of the file."""
