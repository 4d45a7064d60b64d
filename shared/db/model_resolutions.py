"""Queries on jobs whose model the hub has not described yet, so that they have no recipe.

Such a job has its main runs, its baselines and its distillation, all held, and no pilots. Once its
model is known, the job is planned again; its row and its runs take over that plan.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import update
from sqlalchemy.orm import Session

from shared.db.events import Events
from shared.db.job_advances import JobAdvances
from shared.db.run_requests import lock_runs
from shared.db.stages import Stages
from shared.db.tables import Job, Run
from shared.db.waiting_jobs import WaitingJobs, WaitLease
from shared.domain.errors import Reason
from shared.domain.states import JobState, Purpose

_PLANNED_COLUMNS = (
    *("task", "resolved_recipe", "recipe_notes", "metric", "threads", "dataset", "pilots"),
    *("early_discard", "baselines", "warnings", "hub_model", "base_model_sha256", "awaits_model"),
)
"""Columns of a job that depend on its model. The others are the request's."""


class ClaimedResolution(NamedTuple):
    """A job whose model this process is to resolve, with its row."""

    lease: WaitLease
    job: Job


class ModelResolutions:
    def __init__(self, session: Session) -> None:
        self._session = session
        self.jobs = WaitingJobs(session, Job.hub_model.is_(None))

    def claim_next(self, lease_seconds: float) -> ClaimedResolution | None:
        """Claim the oldest due job; None if there is none."""
        lease = self.jobs.claim_lease(lease_seconds)
        if lease is None:
            return None
        job = self._session.get_one(Job, lease.job_id, populate_existing=True)
        return ClaimedResolution(lease, job)

    def complete(self, lease: WaitLease, plan: Job, runs: Sequence[Run]) -> Job:
        """Give the job the plan that its model allows, and return its row. Raises FenceLost.

        ``runs`` are those of the plan: the job keeps its own main runs, which may have been
        cancelled or added since, and gets the plan's pilots. If the model needs no download, the
        first runs are released.
        """
        lock_runs(self._session, lease.job_id)
        planned = {name: getattr(plan, name) for name in _PLANNED_COLUMNS}
        status = {} if plan.awaits_model else {"status": JobState.QUEUED}
        self.jobs.update_job(lease, lease_until=None, publish_attempts=0, **planned, **status)
        self._update_runs(lease.job_id, runs)
        job = self._session.get_one(Job, lease.job_id, populate_existing=True)
        if not plan.awaits_model:
            Stages(self._session).release_first_runs(job)
        return job

    def _update_runs(self, job_id: str, planned: Sequence[Run]) -> None:
        for purpose in (Purpose.MAIN, Purpose.DISTILLATION):
            first = next((run for run in planned if run.purpose == purpose), None)
            if first is not None:
                own = (Run.job_id == job_id, Run.purpose == purpose)
                length = {"total_steps": first.total_steps, "stop_step": first.stop_step}
                self._session.execute(update(Run).where(*own).values(**length))
        pilots = [run for run in planned if run.purpose == Purpose.PILOT]
        for pilot in pilots:
            pilot.job_id, pilot.held = job_id, True
        self._session.add_all(pilots)
        self._session.flush()

    def fail(self, lease: WaitLease, reason: Reason) -> None:
        """End the job, which cannot be planned. Raises FenceLost.

        It still awaits its model: a run that is retried makes the job ask the hub again.
        """
        lock_runs(self._session, lease.job_id)
        self.jobs.update_job(lease, publish_attempts=0)
        job = self._session.get_one(Job, lease.job_id)
        Stages(self._session).cancel_open_runs(lease.job_id)
        JobAdvances(self._session).finish_job(
            lease.job_id, lease.fence, JobState.FAILED, error=reason
        )
        Events(self._session).add(job, f"The job failed: {reason.message}", level="error")
