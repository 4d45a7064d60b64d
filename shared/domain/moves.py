"""The legal moves of runs and jobs between states: the only place that lists them.

Every UPDATE of a state names its move and is guarded by the move's sources (``shared.db.guards``).
``tests/shared/db/test_moves.py`` audits the database and fuzzes it against these tables.
"""

from enum import StrEnum
from typing import NamedTuple

from shared.domain.states import ENDED_JOB_STATES, OPEN_JOB_STATES, JobState, RunState


class Actor(StrEnum):
    """Who makes a move."""

    USER = "user"
    """A request to the API."""
    MACHINE = "machine"
    """A worker, a sweeper or the start of the service."""


class RunMove(NamedTuple):
    actor: Actor
    sources: frozenset[RunState]
    targets: frozenset[RunState]


class JobMove(NamedTuple):
    actor: Actor
    sources: frozenset[JobState]
    targets: frozenset[JobState]


def _move_run(actor: Actor, sources: set[RunState], *targets: RunState) -> RunMove:
    return RunMove(actor, frozenset(sources), frozenset(targets))


def _move_job(
    actor: Actor, sources: set[JobState] | frozenset[JobState], *targets: JobState
) -> JobMove:
    return JobMove(actor, frozenset(sources), frozenset(targets))


_Q, _R, _P = RunState.QUEUED, RunState.RUNNING, RunState.PAUSED

CLAIM_RUN = _move_run(Actor.MACHINE, {_Q}, _R)
FINISH_RUN = _move_run(Actor.MACHINE, {_R}, RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)
GIVE_BACK_RUN = _move_run(Actor.MACHINE, {_R}, _Q, _P, RunState.CANCELLED)
"""A worker leaves, its trainer died or its lease expired; where to is decided by the flags."""
WAIT_AT_RUNG = _move_run(Actor.MACHINE, {_R}, _P)
CONTINUE_RUN = _move_run(Actor.MACHINE, {_P}, _Q)
DISCARD_RUN = _move_run(Actor.MACHINE, {_P}, RunState.DISCARDED)
END_RUN_WITH_JOB = _move_run(Actor.MACHINE, {_Q, _P}, RunState.CANCELLED)
"""The job ends and the run never started, as a distillation without teachers."""
CANCEL_RUN = _move_run(Actor.USER, {_Q, _P}, RunState.CANCELLED)
"""A running run gets a flag instead and is finished by its worker."""
PAUSE_RUN = _move_run(Actor.USER, {_Q}, _P)
RESUME_RUN = _move_run(Actor.USER, {_P}, _Q)
RETRY_RUN = _move_run(Actor.USER, {RunState.FAILED, RunState.CANCELLED}, _Q)
"""The only way out of an ended state."""

RUN_MOVES = (
    *(CLAIM_RUN, FINISH_RUN, GIVE_BACK_RUN, WAIT_AT_RUNG, CONTINUE_RUN, DISCARD_RUN),
    *(END_RUN_WITH_JOB, CANCEL_RUN, PAUSE_RUN, RESUME_RUN, RETRY_RUN),
)

_ACTIVE = frozenset({JobState.VALIDATING_FILES, JobState.QUEUED, JobState.RUNNING})

QUEUE_JOB = _move_job(Actor.MACHINE, {JobState.VALIDATING_FILES}, JobState.QUEUED)
"""The job's model has been downloaded."""
START_JOB = _move_job(Actor.MACHINE, {JobState.VALIDATING_FILES, JobState.QUEUED}, JobState.RUNNING)
FINISH_JOB = _move_job(
    Actor.MACHINE, OPEN_JOB_STATES, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED
)
CANCEL_JOB = _move_job(Actor.USER, OPEN_JOB_STATES, JobState.CANCELLED)
"""At once, if no run is open; else the worker of the last run finishes the job."""
PAUSE_JOB = _move_job(Actor.USER, _ACTIVE, JobState.PAUSED)
RESUME_JOB = _move_job(Actor.USER, {JobState.PAUSED}, *_ACTIVE)
REOPEN_JOB = _move_job(
    Actor.USER,
    ENDED_JOB_STATES - {JobState.CANCELLED},
    JobState.QUEUED,
    JobState.VALIDATING_FILES,
)
"""By an extension or the retry of a run. A job whose model was never resolved waits for it again.
"""

JOB_MOVES = (
    *(QUEUE_JOB, START_JOB, FINISH_JOB),
    *(CANCEL_JOB, PAUSE_JOB, RESUME_JOB, REOPEN_JOB),
)
