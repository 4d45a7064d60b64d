"""Files on the wire, in the shape the official client knows, with the profile as an extra."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api.pagination import Identified
from shared.datasets.profile.validation import Validation
from shared.db.tables import File

Purpose = Literal["fine-tune", "user_data", "evals"]


class FileObject(Identified):
    """An uploaded data set, or a result file of a job."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["file"] = "file"
    bytes: int
    """Size of what was uploaded."""
    created_at: int
    expires_at: int | None
    """When it is deleted, unix seconds; null to keep it."""
    filename: str
    """The name it was uploaded under, without folders."""
    purpose: str
    """As said at upload, or `fine-tune-results` for what a job has made. ``evals`` is answered
    as ``user_data``: the official client's type of a file, unlike that of an upload, knows
    no ``evals``.
    """
    status: str
    """`processed`: it is read at upload, and an upload that cannot be read is not kept."""
    status_details: str | None
    """What the file holds, in one line."""
    sha256: str
    """Digest of the content; equal bytes under two ids are stored once."""
    profile: Validation | None
    """What the file holds: rows, columns, labels, lengths, problems. Null for result files and
    in lists.
    """

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
            profile=None if profile is None else Validation.model_validate(profile),
        )


class FileDeleted(BaseModel):
    """The file is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class FileValidation(Validation):
    """A file's validation report; rows count data rows from 1."""

    object: Literal["file.validation"] = "file.validation"
    file_id: str
