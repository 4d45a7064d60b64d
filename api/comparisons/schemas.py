"""Comparisons on the wire."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.pagination import Identified
from shared.db.tables import Comparison as Row
from shared.metrics import METRICS
from shared.report.comparison import Comparison

MAX_JOBS = 10


def _check_unique_job_ids(job_ids: list[str]) -> list[str]:
    if len(set(job_ids)) != len(job_ids):
        raise ValueError("names a job twice: a job cannot be compared with itself")
    return job_ids


class ComparisonRequest(BaseModel):
    """Which jobs to compare, every two of them, each with those named before it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    job_ids: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=128)]],
        Field(min_length=2, max_length=MAX_JOBS, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_check_unique_job_ids),
    ]
    """The jobs, each named once."""
    metric: Literal[METRICS] | None = None  # type: ignore[valid-type]
    """The score to compare by; default: the one that the jobs report. Another is taken of the
    same checkpoints.
    """
    alpha: Annotated[float, Field(ge=0.001, le=0.5)] = 0.05
    """Highest p that counts as shown; after Holm's adjustment where there are more than two
    jobs.
    """


class ComparisonObject(Identified, Comparison):
    """Jobs compared, every two of them, as their runs stood at the time."""

    model_config = ConfigDict(
        extra="ignore"
    )  # what another version stored is shown as far as it is known

    created_at: int

    @classmethod
    def from_row(cls, row: Row) -> "ComparisonObject":
        return cls(id=row.id, created_at=int(row.created_at), **row.result)
