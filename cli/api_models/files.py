"""Responses about uploaded files."""

from cli.api_models.base import ApiModel, ApiWarning


class RowProblem(ApiModel):
    """Why a row cannot be used."""

    row: int
    message: str


class Profile(ApiModel):
    """Number of rows and problems of a file."""

    rows: int
    errors: list[RowProblem]
    errors_total: int
    warnings: list[ApiWarning]


class File(ApiModel):
    id: str
    filename: str
    bytes: int
    created_at: int = 0
    purpose: str = ""
    expires_at: int | None = None
    status_details: str | None = None
    profile: Profile | None = None


class FileList(ApiModel):
    data: list[File]
    has_more: bool = False


class UploadPart(ApiModel):
    id: str


class Upload(ApiModel):
    """A file that is sent in parts."""

    id: str
    file: File | None = None
    """None until all parts have arrived."""


class PreviewRow(ApiModel):
    row: int
    tokens: list[str]
    num_tokens: int
    truncated: bool
    label: str | list[str]


class Preview(ApiModel):
    model: str
    max_seq_length: int
    truncated: int
    data: list[PreviewRow]
