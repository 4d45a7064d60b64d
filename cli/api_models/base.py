"""Base classes of the response models."""

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """A part of a response; unknown fields are ignored, so that versions may differ."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Deletion(ApiModel):
    """Confirmation that an object was deleted."""


class ApiWarning(ApiModel):
    """A caveat about a file or a job."""

    code: str
    message: str
    severity: str = "medium"
