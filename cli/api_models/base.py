"""The base of what is read."""

from pydantic import BaseModel, ConfigDict


class ApiModel(BaseModel):
    """Fields that it does not know are let pass, so that versions may differ."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ApiWarning(ApiModel):
    code: str
    message: str
