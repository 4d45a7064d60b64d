"""Base model of a report's values: immutable, without unknown fields, NaN or infinity."""

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]


class FrozenModel(BaseModel):
    # allow_inf_nan=False: an undefined number that is not null is a bug and must not go
    # unnoticed
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
