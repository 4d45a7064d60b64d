"""States of runs and jobs, and how a job's state follows from its runs. ``shared.db.runs``
guards the transitions.
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum


class Purpose(StrEnum):
    """What a run is for. A job's state, report and counts are those of its main runs."""

    PILOT = "pilot"
    """Evaluates a candidate for an automatic value of the recipe."""
    BASELINES = "baselines"
    """Scores simpler models on the same rows; trains nothing."""
    MAIN = "main"
    """One seed of the job."""
    DISTILLATION = "distillation"
    """Trains one model on the mean predictions of the main runs, after they have ended."""


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
    """States of an upload in parts."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN_RUN_STATES = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.PAUSED})
ENDED_RUN_STATES = frozenset(RunState) - OPEN_RUN_STATES

OPEN_JOB_STATES = frozenset(
    {JobState.VALIDATING_FILES, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED}
)
ENDED_JOB_STATES = frozenset(JobState) - OPEN_JOB_STATES


def derive_job_state(states: Iterable[str], *, cancelled: bool) -> JobState:
    """Derive the state of a job without open runs (a job with an open run is queued, running or
    paused).

    Cancelled wins: the report is kept and nothing is published. Otherwise one succeeded run is
    enough for succeeded; if all failed, the job failed.
    """
    count = Counter(states)
    if any(count[state] for state in OPEN_RUN_STATES):
        raise ValueError("the state of a job with open runs does not follow from them")
    if cancelled:
        return JobState.CANCELLED
    return JobState.SUCCEEDED if count[RunState.SUCCEEDED] else JobState.FAILED
