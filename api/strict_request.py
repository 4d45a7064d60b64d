"""The base of request models: frozen, without unknown fields, type conversions, NaN or infinity."""

from pydantic import BaseModel, ConfigDict


class StrictRequest(BaseModel):
    """A request body, or an object in one."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
