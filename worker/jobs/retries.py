"""What follows when a job could not be advanced: try again, or fail it for good.

An outage (storage away, disk full, database away) never fails a job: it is tried again with growing
delays until it can be done. Another failure of the worker's machine, such as a cache folder that
cannot be written, is tried again for LOCAL_FAILURE_LIMIT_S. What no later attempt can change fails
the job at once or after a few attempts: artifacts that are gone, or processes that die each time.
"""

from sqlalchemy.orm import Session

from shared.db.clock import read_db_time
from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.runs import FenceLost, Runs
from shared.db.stages import Stages
from shared.db.tables import Job
from shared.domain.errors import Reason
from shared.domain.states import JobState
from shared.domain.wording import join_words, lower_first
from shared.infra.storage_errors import StorageUnavailable, is_disk_full

MAX_ADVANCE_ATTEMPTS = 3
MIN_DELAY_S = 5.0
MAX_DELAY_S = 300.0
LOCAL_FAILURE_LIMIT_S = 3600.0
"""From the first failure of a worker's machine until the job fails: time for an operator."""
POSTPONED_MESSAGE = "The job could not be completed yet"
"""Begins the event that says so; there is one for each cause."""


class ArtifactsMissing(Exception):
    """The storage has lost artifacts of these runs, so their models cannot be published."""

    def __init__(self, run_indices: list[int]) -> None:
        super().__init__(run_indices)
        self.run_indices = run_indices


class AdvanceInterrupted(Exception):
    """The processes of the earlier attempts were killed and left no error."""


def postpone_advance(session: Session, job_id: str, fence: int, error: Exception) -> None:
    """Release the job for an attempt after a delay that grows with the length of the outage.

    Fail it if this is no outage but a machine that has failed for too long.
    """
    job = session.get_one(Job, job_id)
    ended_at = [run.finished_at for run in Runs(session).list_by_job(job_id) if run.finished_at]
    now, last_end = read_db_time(session), max(ended_at, default=job.created_at)
    cause, is_outage = _describe_failure(error)
    message = f"{POSTPONED_MESSAGE}: {cause}"
    failing_since = Events(session).find_first_time(job_id, message, last_end) or now
    if not is_outage and now - failing_since >= LOCAL_FAILURE_LIMIT_S:
        minutes = LOCAL_FAILURE_LIMIT_S / 60
        text = f"The job could not be completed within {minutes:.0f} minutes: {lower_first(cause)}"
        _fail_job(session, job, fence, Reason(code="publish_failed", message=text, param=None))
        return
    delay = min(max((now - last_end) / 2, MIN_DELAY_S), MAX_DELAY_S)
    if not JobAdvances(session).postpone_advance(job_id, fence, delay):
        return
    if Events(session).find_first_time(job_id, message, last_end) is None:
        until = "until it can be" if is_outage else f"for {LOCAL_FAILURE_LIMIT_S / 60:.0f} minutes"
        Events(session).add(job, f"{message} It is tried again {until}.", level="warn")


def _describe_failure(error: Exception) -> tuple[str, bool]:
    """Return the cause as a sentence, and whether it is an outage, which a job waits for."""
    if isinstance(error, StorageUnavailable):
        return str(error), True
    if is_disk_full(error):
        return "The worker's disk is full.", True
    if isinstance(error, OSError):
        cause = f"The worker's machine failed ({type(error).__name__}); see the worker's log."
        return cause, False
    return f"The database failed ({type(error).__name__}); see the worker's log.", True


def retry_or_fail(session: Session, job_id: str, fence: int, error: Exception) -> None:
    """Release the job for another attempt, or fail it after MAX_ADVANCE_ATTEMPTS.

    A failed job keeps its runs and report.
    """
    job = session.get_one(Job, job_id)
    if job.publish_attempts < MAX_ADVANCE_ATTEMPTS:
        JobAdvances(session).release_lease(job_id, fence)
        return
    _fail_job(session, job, fence, _build_reason(error))


def _fail_job(session: Session, job: Job, fence: int, reason: Reason) -> None:
    try:
        JobAdvances(session).finish_job(job.id, fence, JobState.FAILED, error=reason)
    except FenceLost:
        return
    Stages(session).cancel_open_runs(job.id)
    Events(session).add(job, reason.message, level="error")


def _build_reason(error: Exception) -> Reason:
    if isinstance(error, ArtifactsMissing):
        numbers = join_words([str(index) for index in error.run_indices])
        plural = len(error.run_indices) > 1
        message = (
            f"The storage has lost the model{'s' if plural else ''} of "
            f"{'runs' if plural else 'run'} {numbers}, which must be trained again: clone the job, "
            "or restore the storage and extend the job."
        )
        return Reason(code="artifacts_missing", message=message, param=None)
    cause = (
        f"it was interrupted {MAX_ADVANCE_ATTEMPTS} times"
        if isinstance(error, AdvanceInterrupted)
        else type(error).__name__
    )
    message = f"The job could not be completed ({cause}). See the worker's log."
    return Reason(code="publish_failed", message=message, param=None)
