"""The base of everything that a report is made of on the wire."""

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]


class FrozenModel(BaseModel):
    # allow_inf_nan=False: an undefined number that is not null is a defect of ours, and should be seen as one
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
