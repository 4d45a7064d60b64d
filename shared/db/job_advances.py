"""Advancing a job to its next stage or its end: by one worker at a time, under a fence."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.deliveries import Deliveries
from shared.db.guards import can_move_job
from shared.db.runs import FenceLost
from shared.db.session import updates_one_row
from shared.db.tables import Job, Run
from shared.domain.moves import FINISH_JOB
from shared.domain.states import OPEN_JOB_STATES, JobState, RunState

_CAN_ADVANCE = (
    Job.status.in_(OPEN_JOB_STATES),
    or_(Job.status != JobState.PAUSED, Job.cancel_requested.is_(True)),
    # the job waits for the download of its model (``shared.db.model_fetches``)
    or_(Job.awaits_model.is_(False), Job.cancel_requested.is_(True)),
    or_(Job.lease_until.is_(None), Job.lease_until < db_now()),
)
_IS_ACTIVE_RUN = or_(
    Run.status == RunState.RUNNING, and_(Run.status == RunState.QUEUED, Run.held.is_(False))
)
_HAS_NO_ACTIVE_RUN = ~exists().where(Run.job_id == Job.id, _IS_ACTIVE_RUN)
"""Condition: every open run of the job waits for its next stage, held for pilots or paused for
the early discard.
"""


class JobAdvances:
    """The stages of jobs that no run keeps from going on."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def claim_to_advance(self, job_id: str, lease_seconds: float) -> int | None:
        """Claim a job none of whose runs is in progress, and return the fence for advancing it.

        Return None if the job has ended or another worker is at it. ``publish_attempts`` counts
        the claims of the same transition.
        """
        change = (
            update(Job)
            .where(Job.id == job_id, *_CAN_ADVANCE, _HAS_NO_ACTIVE_RUN)
            .values(
                fence=Job.fence + 1,
                publish_attempts=Job.publish_attempts + 1,
                lease_until=db_now() + lease_seconds,
            )
            .returning(Job.fence)
        )
        return self._session.scalar(change)

    def advance_to_stage(self, job_id: str, fence: int, **values: Any) -> None:
        """Record the next stage and release the job. Raises FenceLost."""
        change = (
            update(Job)
            .where(
                Job.id == job_id,
                Job.fence == fence,
                Job.status.in_(OPEN_JOB_STATES),
                Job.cancel_requested.is_(False),
            )
            .values(lease_until=None, publish_attempts=0, **values)
        )
        if not updates_one_row(self._session, change):
            raise FenceLost(job_id)

    def finish_job(self, job_id: str, fence: int, status: JobState, **values: Any) -> None:
        """Record the end of the job. Raises FenceLost if another worker has taken it over."""
        change = (
            update(Job)
            .where(Job.id == job_id, Job.fence == fence, can_move_job(FINISH_JOB))
            .values(status=status, lease_until=None, finished_at=db_now(), **values)
        )
        if not updates_one_row(self._session, change):
            raise FenceLost(job_id)
        Deliveries(self._session).add_for_job(job_id, status)

    def release_lease(self, job_id: str, fence: int) -> None:
        """Release the job after a failed transition, so that it is tried again."""
        self._session.execute(
            update(Job)
            .where(Job.id == job_id, Job.fence == fence, Job.status.in_(OPEN_JOB_STATES))
            .values(lease_until=None)
        )

    def postpone_advance(self, job_id: str, fence: int, delay_seconds: float) -> bool:
        """Keep the job from being advanced for a while, without counting the attempt; False if
        another worker has taken it over.
        """
        change = (
            update(Job)
            .where(Job.id == job_id, Job.fence == fence, Job.status.in_(OPEN_JOB_STATES))
            .values(lease_until=db_now() + delay_seconds, publish_attempts=Job.publish_attempts - 1)
        )
        return updates_one_row(self._session, change)

    def list_ready_to_advance(self, limit: int) -> Sequence[str]:
        """List open jobs without a run in progress that no worker is advancing: their worker
        was lost.
        """
        query = select(Job.id).where(*_CAN_ADVANCE, _HAS_NO_ACTIVE_RUN)
        return self._session.scalars(query.order_by(Job.id).limit(limit)).all()

    def release_leases(self) -> None:
        """Release every claimed job. Only for the start of ``evenkeel up``, whose database no
        other process uses.
        """
        self._session.execute(
            update(Job).where(Job.status.in_(OPEN_JOB_STATES)).values(lease_until=None)
        )
