"""Leases on jobs that are ``validating_files`` because they wait for something of the hub.

The runs of such a job are held. One process at a time holds its lease, the same that is used to
advance a job; between two attempts the lease lies in the future without an owner, so that the hub
is left alone.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.events import Events
from shared.db.guards import can_move_job
from shared.db.runs import FenceLost
from shared.db.session import updates_one_row
from shared.db.tables import Job
from shared.domain.moves import QUEUE_JOB


class WaitLease(NamedTuple):
    """The right to work for a waiting job, until another process claims it."""

    job_id: str
    fence: int
    attempt: int
    """From 1; counts the attempts, and the claims of processes that died."""


class WaitingJobs:
    """The waiting jobs that satisfy ``condition``, which says what they wait for."""

    def __init__(self, session: Session, condition: ColumnElement[bool]) -> None:
        self._session = session
        self._waiting = (
            can_move_job(QUEUE_JOB),
            Job.awaits_model.is_(True),
            Job.cancel_requested.is_(False),
            condition,
        )
        self._due = (*self._waiting, Job.lease_until.is_(None) | (Job.lease_until < db_now()))

    def has_due(self) -> bool:
        """Return whether a job waits that no process is busy with."""
        return self._session.scalar(select(Job.id).where(*self._due).limit(1)) is not None

    def has_waiting(self) -> bool:
        """Return whether a job waits, due or not."""
        return self._session.scalar(select(Job.id).where(*self._waiting).limit(1)) is not None

    def claim_lease(self, lease_seconds: float) -> WaitLease | None:
        """Claim the oldest due job; None if there is none."""
        oldest = (
            select(Job.id)
            .where(*self._due)
            .order_by(Job.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        job_id = self._session.scalar(oldest)
        if job_id is None:
            return None
        change = (
            update(Job)
            .where(Job.id == job_id, *self._due)
            .values(
                fence=Job.fence + 1,
                publish_attempts=Job.publish_attempts + 1,
                lease_until=db_now() + lease_seconds,
            )
            .returning(Job.fence, Job.publish_attempts)
        )
        row = self._session.execute(change).one_or_none()
        return None if row is None else WaitLease(job_id, row.fence, row.publish_attempts)

    def renew_lease(self, lease: WaitLease, lease_seconds: float) -> None:
        """Keep the job. Raises FenceLost, also once it is paused or to be cancelled."""
        self.update_job(lease, lease_until=db_now() + lease_seconds)

    def postpone(self, lease: WaitLease, delay_seconds: float) -> None:
        """Leave the job for a later attempt. Raises FenceLost."""
        self.update_job(lease, lease_until=db_now() + delay_seconds)

    def release(self, lease: WaitLease) -> None:
        """Leave the job to another process, because this one ends. Raises FenceLost."""
        self.update_job(lease, lease_until=None, publish_attempts=Job.publish_attempts - 1)

    def add_event(self, lease: WaitLease, message: str, *, level: str = "info") -> None:
        Events(self._session).add(self._session.get_one(Job, lease.job_id), message, level=level)

    def update_job(self, lease: WaitLease, **values: object) -> None:
        """Change the job's columns. Raises FenceLost unless the lease is still held."""
        held = (Job.id == lease.job_id, Job.fence == lease.fence, *self._waiting)
        if not updates_one_row(self._session, update(Job).where(*held).values(**values)):
            raise FenceLost(lease.job_id)
