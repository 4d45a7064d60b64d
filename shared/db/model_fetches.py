"""Queries on jobs that wait for the download of their model."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.run_requests import lock_runs
from shared.db.stages import Stages
from shared.db.tables import Job
from shared.db.waiting_jobs import WaitingJobs, WaitLease
from shared.domain.errors import Reason
from shared.domain.hub_model import HubModel
from shared.domain.states import JobState


class ClaimedFetch(NamedTuple):
    """A job whose model this worker is to download."""

    lease: WaitLease
    model: HubModel

    @property
    def job_id(self) -> str:
        return self.lease.job_id


class ModelFetches:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.jobs = WaitingJobs(session, Job.hub_model.is_not(None))

    def claim_next(self, lease_seconds: float) -> ClaimedFetch | None:
        """Claim the oldest due job; None if there is none."""
        lease = self.jobs.claim_lease(lease_seconds)
        if lease is None:
            return None
        model = self._session.get_one(Job, lease.job_id, populate_existing=True).hub_model
        return None if model is None else ClaimedFetch(lease, model)

    def complete(self, fetch: ClaimedFetch) -> None:
        """Queue the job and release its first runs. Raises FenceLost."""
        lock_runs(self._session, fetch.job_id)
        self.jobs.update_job(
            fetch.lease,
            **{"status": JobState.QUEUED, "awaits_model": False},
            **{"lease_until": None, "publish_attempts": 0},
        )
        Stages(self._session).release_first_runs(self._session.get_one(Job, fetch.job_id))

    def fail(self, fetch: ClaimedFetch, reason: Reason) -> None:
        """End the job, whose model cannot be had. Raises FenceLost.

        Its runs are no longer held: a run that is retried downloads the model itself.
        """
        lock_runs(self._session, fetch.job_id)
        self.jobs.update_job(fetch.lease, awaits_model=False)
        job = self._session.get_one(Job, fetch.job_id)
        Stages(self._session).cancel_open_runs(fetch.job_id)
        Stages(self._session).release_first_runs(job)
        fence = fetch.lease.fence
        JobAdvances(self._session).finish_job(fetch.job_id, fence, JobState.FAILED, error=reason)
        Events(self._session).add(job, f"The job failed: {reason.message}", level="error")
