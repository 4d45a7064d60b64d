"""What the list of jobs shows of each job."""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from api.jobs.schemas import JobObject
from shared.domain.states import OPEN_JOB_STATES
from shared.recipe import Recipe
from shared.report.page.cells import MISSING


class JobRow(NamedTuple):
    """One row of the list."""

    job: JobObject
    title: str
    preset: str
    report: Mapping[str, Any]
    """The job's ``stability``."""
    is_open: bool
    elapsed: float | None
    """Seconds since the first run started."""


def build_row(job: JobObject) -> JobRow:
    return JobRow(
        job=job,
        title=get_title(job),
        preset=get_preset(job),
        report=job.stability or {},
        is_open=is_open(job),
        elapsed=measure_elapsed(job),
    )


def is_open(job: JobObject) -> bool:
    return job.status in OPEN_JOB_STATES


def get_title(job: JobObject) -> str:
    """Return what people call the job: its suffix, or its ID."""
    return job.suffix or job.id


def get_preset(job: JobObject) -> str:
    """Return the name of the recipe's preset, also of one that this version does not know."""
    resolved = job.resolved_recipe
    if isinstance(resolved, Recipe):
        return resolved.preset
    return str((resolved or job.recipe).get("preset") or MISSING)


def measure_elapsed(job: JobObject) -> float | None:
    if job.started_at is None:
        return None
    end = time.time() if job.finished_at is None else job.finished_at
    return end - job.started_at
