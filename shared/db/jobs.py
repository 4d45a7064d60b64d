"""Queries on jobs."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.deliveries import Deliveries
from shared.db.guards import can_move_job
from shared.db.pagination import PageRequest, fetch_page
from shared.db.session import notify_after_commit, updates_one_row
from shared.db.tables import Job, Run
from shared.domain.errors import JobNotFound
from shared.domain.ids import JOB_PREFIX
from shared.domain.job_facts import JobWarning
from shared.domain.moves import CANCEL_JOB, PAUSE_JOB, REOPEN_JOB, RESUME_JOB
from shared.domain.states import OPEN_JOB_STATES, OPEN_RUN_STATES, JobState

RUN_WAKE = "run.wake"
JOB_ADVANCE = "job.advance"


_HAS_NO_OPEN_RUN = ~exists().where(Run.job_id == Job.id, Run.status.in_(OPEN_RUN_STATES))


def build_job_not_found(job_id: str, *, param: str = "fine_tuning_job_id") -> JobNotFound:
    return JobNotFound(f"No job has the ID {job_id[:80]!r}.", param=param)


class Jobs:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, job: Job, runs: Sequence[Run]) -> None:
        """Store a job with its runs, and notify the queue of each after the commit."""
        self._session.add(job)
        self._session.flush()
        self._session.add_all(runs)
        for run in runs:
            if not run.held:
                notify_after_commit(self._session, RUN_WAKE, run.id)

    def get(self, job_id: str, owner_id: str, *, param: str = "fine_tuning_job_id") -> Job:
        """Return a job. Raises JobNotFound, also for another owner's."""
        job = self._session.scalars(
            select(Job).where(Job.id == job_id, Job.owner_id == owner_id)
        ).one_or_none()
        if job is None:
            raise build_job_not_found(job_id, param=param)
        return job

    def list_by_ids(self, job_ids: Sequence[str], owner_id: str, *, param: str) -> list[Job]:
        """Return the jobs in the given order. Raises JobNotFound for the first one that this
        owner lacks.
        """
        query = select(Job).where(Job.id.in_(job_ids), Job.owner_id == owner_id)
        found = {job.id: job for job in self._session.scalars(query)}
        missing = next((job_id for job_id in job_ids if job_id not in found), None)
        if missing is not None:
            raise build_job_not_found(missing, param=param)
        return [found[job_id] for job_id in job_ids]

    def list_page(
        self, owner_id: str, page: PageRequest, metadata: dict[str, str] | None
    ) -> tuple[Sequence[Job], bool]:
        """Condition: the job has all of ``metadata``, or none at all for None."""
        query = select(Job).where(Job.owner_id == owner_id)
        if metadata is None:
            query = query.where(Job.job_metadata.is_(None))
        for key, value in (metadata or {}).items():
            query = query.where(self._has_metadata(key, value))
        return fetch_page(
            self._session, query, Job.id, page, scope=Job.owner_id == owner_id, prefix=JOB_PREFIX
        )

    def _has_metadata(self, key: str, value: str) -> ColumnElement[bool]:
        """Escape a metadata key for a JSON path; SQLite cannot look up quotation marks or
        non-ASCII letters.
        """
        if self._session.get_bind().dialect.name != "sqlite":
            text: ColumnElement[str] = Job.job_metadata[key].as_string()
            return text == value
        pairs = func.json_each(Job.job_metadata).table_valued("key", "value")
        return exists(
            select(pairs.c.key).where(pairs.c.key == key, pairs.c.value == value).correlate(Job)
        )

    def request_cancel(self, job: Job) -> bool:
        """Mark an open job as to be cancelled; False if it has ended."""
        change = (
            update(Job)
            .where(Job.id == job.id, Job.status.in_(OPEN_JOB_STATES))
            .values(cancel_requested=True)
        )
        return updates_one_row(self._session, change)

    def pause_job(self, job_id: str) -> bool:
        """Pause an open job that is not being cancelled; False otherwise.

        A worker that was about to advance the job loses its fence.
        """
        open_ = (
            can_move_job(PAUSE_JOB),
            Job.cancel_requested.is_(False),
        )
        change = update(Job).where(Job.id == job_id, *open_)
        return updates_one_row(
            self._session,
            change.values(status=JobState.PAUSED, fence=Job.fence + 1, lease_until=None),
        )

    def resume_job(self, job_id: str) -> bool:
        """Resume a paused job; False if it is not paused, or is being cancelled."""
        before = case(
            (Job.awaits_model.is_(True), JobState.VALIDATING_FILES.value),
            (Job.started_at.is_(None), JobState.QUEUED.value),
            else_=JobState.RUNNING.value,
        )
        paused = (can_move_job(RESUME_JOB), Job.cancel_requested.is_(False))
        if not updates_one_row(
            self._session, update(Job).where(Job.id == job_id, *paused).values(status=before)
        ):
            return False
        notify_after_commit(
            self._session, JOB_ADVANCE, job_id
        )  # its last run may have ended while it was pausing
        return True

    def finish_cancelled_job(self, job_id: str) -> bool:
        """End a job that is to be cancelled and has no open run, without waiting for a worker;
        False if runs are still open.
        """
        tokens = select(func.sum(Run.trained_tokens)).where(Run.job_id == job_id).scalar_subquery()
        change = (
            update(Job)
            .where(
                Job.id == job_id,
                Job.cancel_requested.is_(True),
                can_move_job(CANCEL_JOB),
                _HAS_NO_OPEN_RUN,
            )
            .values(
                status=JobState.CANCELLED,
                fence=Job.fence + 1,
                lease_until=None,
                finished_at=db_now(),
                trained_tokens=cast(tokens, BigInteger),
            )
        )
        if not updates_one_row(self._session, change):
            return False
        Deliveries(self._session).add_for_job(job_id, JobState.CANCELLED)
        unpublished = (Run.job_id == job_id, Run.fine_tuned_model.is_(None))
        self._session.execute(update(Run).where(*unpublished).values(artifacts=None))
        return True

    def reopen_job(self, job: Job) -> None:
        """Reopen an ended job after runs were added. A worker about to end an open job loses
        its fence. A job whose model the hub never described waits for that again.
        """
        is_open = Job.status.in_(OPEN_JOB_STATES)
        status = case(
            (is_open, Job.status),
            (Job.awaits_model.is_(True), JobState.VALIDATING_FILES.value),
            else_=JobState.QUEUED.value,
        )
        values = {
            "fence": Job.fence + 1,
            "lease_until": None,
            "publish_attempts": 0,
            "error": None,
            "finished_at": None,
        }
        change = update(Job).where(Job.id == job.id, or_(is_open, can_move_job(REOPEN_JOB)))
        if not updates_one_row(self._session, change.values(status=status, **values)):
            raise ValueError(f"job {job.id} cannot be reopened: it was cancelled or deleted")

    def add_warning(self, job_id: str, code: str, message: str) -> bool:
        """Add to the job's warnings; False if it has this warning already."""
        job = self._session.get_one(Job, job_id, with_for_update=True, populate_existing=True)
        warning = JobWarning(code=code, message=message)
        if warning in job.warnings:
            return False
        job.warnings = [*job.warnings, warning]
        self._session.flush()
        return True

    def pin_base_model(self, job_id: str, sha256: str) -> str:
        """Record the digest of the job's base model unless the row has one; return the row's."""
        pinned = func.coalesce(Job.base_model_sha256, sha256)
        change = update(Job).where(Job.id == job_id).values(base_model_sha256=pinned)
        return str(self._session.scalar(change.returning(Job.base_model_sha256)))
