"""Request and response schemas of comparisons."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from api.pagination import Identified
from shared.db.tables import Comparison as Row
from shared.metrics import METRICS
from shared.report.comparison import Comparison

MAX_JOBS = 10


def _check_unique_job_ids(job_ids: list[str]) -> list[str]:
    if len(set(job_ids)) != len(job_ids):
        raise ValueError("a job is named twice; name each job once")
    return job_ids


class ComparisonRequest(BaseModel):
    """Jobs to compare pairwise, each with those named before it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    job_ids: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=128)]],
        Field(min_length=2, max_length=MAX_JOBS, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_check_unique_job_ids),
    ]
    """IDs of the jobs; each may be named once."""
    metric: Literal[METRICS] | None = None  # type: ignore[valid-type]
    """Metric to compare; default: the metric of the jobs' reports. Another metric is taken from
    the same checkpoints."""
    alpha: Annotated[float, Field(ge=0.001, le=0.5)] = 0.05
    """Significance level; for more than two jobs it applies to the p-values after Holm's
    adjustment."""


class ComparisonObject(Identified, Comparison):
    """A pairwise comparison of jobs, as of the time it was made."""

    # a comparison that a newer version stored is shown without the fields unknown here
    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    created_at: int
    """Creation time, Unix seconds."""

    @classmethod
    def from_row(cls, row: Row) -> "ComparisonObject":
        return cls(id=row.id, created_at=int(row.created_at), **dict(row.result))
