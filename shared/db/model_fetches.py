"""Queries on jobs that wait for the download of their model.

Such a job is ``validating_files`` and its runs are held. One worker at a time holds its lease, the
same that is used to advance a job; between two attempts the lease lies in the future without an
owner, so that the hub is left alone.
"""

from typing import NamedTuple

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.events import Events
from shared.db.guards import can_move_job
from shared.db.jobs import Jobs
from shared.db.run_requests import lock_runs
from shared.db.runs import FenceLost
from shared.db.stages import Stages
from shared.db.tables import Job
from shared.domain.errors import Reason
from shared.domain.hub_model import HubModel
from shared.domain.moves import QUEUE_JOB
from shared.domain.states import JobState

_IS_WAITING = (
    can_move_job(QUEUE_JOB),
    Job.awaits_model.is_(True),
    Job.cancel_requested.is_(False),
)
_IS_DUE = (*_IS_WAITING, Job.lease_until.is_(None) | (Job.lease_until < db_now()))


class ClaimedFetch(NamedTuple):
    """A job whose model this worker is to download."""

    job_id: str
    fence: int
    attempt: int
    """From 1; counts the attempts, and the claims of workers that died."""
    model: HubModel


class ModelFetches:
    def __init__(self, session: Session) -> None:
        self._session = session

    def has_due(self) -> bool:
        """Return whether a job waits that no worker is busy with."""
        return self._session.scalar(select(Job.id).where(*_IS_DUE).limit(1)) is not None

    def claim_next(self, lease_seconds: float) -> ClaimedFetch | None:
        """Claim the oldest due job; None if there is none."""
        oldest = (
            select(Job.id)
            .where(*_IS_DUE)
            .order_by(Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        job_id = self._session.scalar(oldest)
        if job_id is None:
            return None
        change = (
            update(Job)
            .where(Job.id == job_id, *_IS_DUE)
            .values(
                fence=Job.fence + 1,
                publish_attempts=Job.publish_attempts + 1,
                lease_until=db_now() + lease_seconds,
            )
            .returning(Job.fence, Job.publish_attempts, Job.hub_model)
        )
        row = self._session.execute(change).one_or_none()
        if row is None or row.hub_model is None:
            return None
        return ClaimedFetch(job_id, row.fence, row.publish_attempts, row.hub_model)

    def renew_lease(self, fetch: ClaimedFetch, lease_seconds: float) -> None:
        """Keep the job. Raises FenceLost, also once it is paused or to be cancelled."""
        self._update(fetch, lease_until=db_now() + lease_seconds)

    def postpone(self, fetch: ClaimedFetch, delay_seconds: float) -> None:
        """Leave the job for a later attempt. Raises FenceLost."""
        self._update(fetch, lease_until=db_now() + delay_seconds)

    def release(self, fetch: ClaimedFetch) -> None:
        """Leave the job to another worker, because this one ends. Raises FenceLost."""
        self._update(fetch, lease_until=None, publish_attempts=Job.publish_attempts - 1)

    def complete(self, fetch: ClaimedFetch) -> None:
        """Queue the job and release its first runs. Raises FenceLost."""
        lock_runs(self._session, fetch.job_id)
        self._update(
            fetch,
            **{"status": JobState.QUEUED, "awaits_model": False},
            **{"lease_until": None, "publish_attempts": 0},
        )
        Stages(self._session).release_first_runs(self._session.get_one(Job, fetch.job_id))

    def fail(self, fetch: ClaimedFetch, reason: Reason) -> None:
        """End the job, whose model cannot be had. Raises FenceLost.

        Its runs are no longer held: a run that is retried downloads the model itself.
        """
        lock_runs(self._session, fetch.job_id)
        self._update(fetch, awaits_model=False)
        job = self._session.get_one(Job, fetch.job_id)
        Stages(self._session).cancel_open_runs(fetch.job_id)
        Stages(self._session).release_first_runs(job)
        Jobs(self._session).finish_job(fetch.job_id, fetch.fence, JobState.FAILED, error=reason)
        Events(self._session).add(job, f"The job failed: {reason.message}", level="error")

    def add_event(self, fetch: ClaimedFetch, message: str, *, level: str = "info") -> None:
        Events(self._session).add(self._session.get_one(Job, fetch.job_id), message, level=level)

    def _update(self, fetch: ClaimedFetch, **values: object) -> None:
        change = update(Job).where(Job.id == fetch.job_id, Job.fence == fetch.fence, *_IS_WAITING)
        result = self._session.execute(change.values(**values))
        if not isinstance(result, CursorResult) or result.rowcount != 1:
            raise FenceLost(fetch.job_id)
