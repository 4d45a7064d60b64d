"""States are data: who may move where, and how a job's state follows from its runs'."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum


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


# queued again from running: the worker was lost, or gave the run back on its way out
RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.PAUSED, RunState.CANCELLED, RunState.DISCARDED}),
    RunState.RUNNING: frozenset(RunState) - {RunState.RUNNING},
    RunState.PAUSED: frozenset({RunState.QUEUED, RunState.CANCELLED}),
}
RUN_OPEN = frozenset(RUN_MOVES)
RUN_ENDED = frozenset(RunState) - RUN_OPEN

JOB_OPEN = frozenset({JobState.VALIDATING_FILES, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED})
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
