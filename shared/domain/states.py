"""States of runs and jobs, and how a job's follows from its runs'. Who may move a run where is in ``shared.db.runs``."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum


class Purpose(StrEnum):
    """What a run is for; a job's state, report and counts are those of its main runs."""

    PILOT = "pilot"
    """Tries an automatic value of the recipe."""
    BASELINES = "baselines"
    """Scores simpler models on the same rows; trains nothing."""
    MAIN = "main"
    """One seed of the job."""


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


class JobState(StrEnum):
    VALIDATING_FILES = "validating_files"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class UploadState(StrEnum):
    """Of an upload in parts."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


RUN_OPEN = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.PAUSED})
RUN_ENDED = frozenset(RunState) - RUN_OPEN

JOB_OPEN = frozenset(
    {JobState.VALIDATING_FILES, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}
)
JOB_ENDED = frozenset(JobState) - JOB_OPEN


def fold(states: Iterable[str], *, cancelled: bool) -> JobState:
    """The job's state once none of its runs is open (a job with an open run is queued, running or paused).

    Cancelled wins: the report is kept, nothing is published. Else one succeeded run is enough; all failed is failed.
    """
    count = Counter(states)
    if any(count[state] for state in RUN_OPEN):
        raise ValueError("fold() is for jobs without open runs")
    if cancelled:
        return JobState.CANCELLED
    return JobState.SUCCEEDED if count[RunState.SUCCEEDED] else JobState.FAILED
