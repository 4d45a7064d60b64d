"""Base model of everything in a report."""

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]


class FrozenModel(BaseModel):
    # allow_inf_nan=False: an undefined number that is not null is a bug and must not go
    # unnoticed
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
