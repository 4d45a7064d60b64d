"""Path parameters that several operations share, each with its description."""

from typing import Annotated

from fastapi import Path

FileIdPath = Annotated[str, Path(description="ID of the file.")]
UploadIdPath = Annotated[str, Path(description="ID of the upload.")]
JobIdPath = Annotated[str, Path(description="ID of the job.")]
RunIdPath = Annotated[str, Path(description="ID of the run.")]
ModelIdPath = Annotated[
    str, Path(description="ID of the model; a slash in it may be sent plain or percent-encoded.")
]
ComparisonIdPath = Annotated[str, Path(description="ID of the comparison.")]
