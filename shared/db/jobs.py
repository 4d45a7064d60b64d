"""Queries on jobs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    and_,
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
from shared.db.pagination import Page, fetch
from shared.db.runs import FenceLost
from shared.db.session import ring_after_commit
from shared.db.tables import IdempotencyKey, Job, Run
from shared.domain.errors import JobNotFound
from shared.domain.states import JOB_OPEN, RUN_OPEN, JobState, RunState

RUN_WAKE = "run.wake"
JOB_ADVANCE = "job.advance"


_MAY_ADVANCE = (
    Job.status.in_(JOB_OPEN),
    or_(Job.status != JobState.PAUSED, Job.cancel_requested.is_(True)),
    or_(Job.lease_until.is_(None), Job.lease_until < db_now()),
)
_NOTHING_OPEN = ~exists().where(Run.job_id == Job.id, Run.status.in_(RUN_OPEN))
_MOVES = or_(
    Run.status == RunState.RUNNING, and_(Run.status == RunState.QUEUED, Run.held.is_(False))
)
_NOTHING_MOVES = ~exists().where(Run.job_id == Job.id, _MOVES)
"""What is open of the job, if anything, waits for its next stage: held until pilots have ended, or paused for the discard."""


def no_such_job(job_id: str, *, param: str = "fine_tuning_job_id") -> JobNotFound:
    return JobNotFound(f"No fine-tuning job has the id {job_id[:80]!r}.", param=param)


class Jobs:
    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, job: Job, runs: Sequence[Run]) -> None:
        """Store a job with its runs, and ring for each once they are durable."""
        self._session.add(job)
        self._session.flush()
        self._session.add_all(runs)
        for run in runs:
            if not run.held:
                ring_after_commit(self._session, RUN_WAKE, run.id)

    def get(self, job_id: str, owner_id: str, *, param: str = "fine_tuning_job_id") -> Job:
        """Raises JobNotFound, also for another owner's job."""
        job = self._session.scalars(
            select(Job).where(Job.id == job_id, Job.owner_id == owner_id)
        ).one_or_none()
        if job is None:
            raise no_such_job(job_id, param=param)
        return job

    def named(self, job_ids: Sequence[str], owner_id: str, *, param: str) -> list[Job]:
        """The jobs in that order. Raises JobNotFound for the first that is none of the owner's."""
        query = select(Job).where(Job.id.in_(job_ids), Job.owner_id == owner_id)
        found = {job.id: job for job in self._session.scalars(query)}
        missing = next((job_id for job_id in job_ids if job_id not in found), None)
        if missing is not None:
            raise no_such_job(missing, param=param)
        return [found[job_id] for job_id in job_ids]

    def page(
        self, owner_id: str, page: Page, metadata: dict[str, str] | None
    ) -> tuple[Sequence[Job], bool]:
        """Jobs that carry all of ``metadata``; None: those that have none."""
        query = select(Job).where(Job.owner_id == owner_id)
        if metadata is None:
            query = query.where(Job.job_metadata.is_(None))
        for key, value in (metadata or {}).items():
            query = query.where(self._carries(key, value))
        return fetch(self._session, query, Job.id, page)

    def _carries(self, key: str, value: str) -> ColumnElement[bool]:
        """Any text may be a key; in a path of SQLite's a quotation mark or a letter beyond ASCII would not be found."""
        if self._session.get_bind().dialect.name != "sqlite":
            text: ColumnElement[str] = Job.job_metadata[key].as_string()
            return text == value
        pairs = func.json_each(Job.job_metadata).table_valued("key", "value")
        return exists(
            select(pairs.c.key).where(pairs.c.key == key, pairs.c.value == value).correlate(Job)
        )

    def wish_cancel(self, job: Job) -> bool:
        """Mark an open job as to be cancelled; False if it has ended meanwhile."""
        change = (
            update(Job)
            .where(Job.id == job.id, Job.status.in_(JOB_OPEN))
            .values(cancel_requested=True)
        )
        return self._changed(change)

    def pause(self, job_id: str) -> bool:
        """Move an open job that is not to be cancelled to paused; False if there is none such.

        Whoever was about to take it to its next stage, or its end, finds that it is not his any more.
        """
        open_ = (Job.status.in_(JOB_OPEN - {JobState.PAUSED}), Job.cancel_requested.is_(False))
        change = update(Job).where(Job.id == job_id, *open_)
        return self._changed(
            change.values(status=JobState.PAUSED, fence=Job.fence + 1, lease_until=None)
        )

    def resume(self, job_id: str) -> bool:
        """A paused job goes on where it was; False if it is not paused, or to be cancelled."""
        before = case(
            (Job.started_at.is_(None), JobState.QUEUED.value), else_=JobState.RUNNING.value
        )
        paused = (Job.status == JobState.PAUSED, Job.cancel_requested.is_(False))
        if not self._changed(update(Job).where(Job.id == job_id, *paused).values(status=before)):
            return False
        ring_after_commit(
            self._session, JOB_ADVANCE, job_id
        )  # its last run may have ended on the way to its pause
        return True

    def end_cancelled(self, job_id: str) -> bool:
        """End a job that is to be cancelled and has no open run, without waiting for a worker; False if there is more to do."""
        tokens = select(func.sum(Run.trained_tokens)).where(Run.job_id == job_id).scalar_subquery()
        change = (
            update(Job)
            .where(
                Job.id == job_id,
                Job.cancel_requested.is_(True),
                Job.status.in_(JOB_OPEN),
                _NOTHING_OPEN,
            )
            .values(
                status=JobState.CANCELLED,
                fence=Job.fence + 1,
                lease_until=None,
                finished_at=db_now(),
                trained_tokens=cast(tokens, BigInteger),
            )
        )
        if not self._changed(change):
            return False
        Deliveries(self._session).add(job_id, JobState.CANCELLED)
        unpublished = (Run.job_id == job_id, Run.fine_tuned_model.is_(None))
        self._session.execute(update(Run).where(*unpublished).values(artifacts=None))
        return True

    def reopen(self, job: Job) -> None:
        """Runs were added: an ended job is open again, and whoever was about to end an open one finds that it is not his any more."""
        status = case((Job.status.in_(JOB_OPEN), Job.status), else_=JobState.QUEUED.value)
        values = {
            "fence": Job.fence + 1,
            "lease_until": None,
            "publish_attempts": 0,
            "error": None,
            "finished_at": None,
        }
        self._session.execute(update(Job).where(Job.id == job.id).values(status=status, **values))

    def warn(self, job_id: str, code: str, message: str) -> bool:
        """Add to the job's warnings; False if it says so already."""
        job = self._session.get_one(Job, job_id, with_for_update=True, populate_existing=True)
        warning = {"code": code, "message": message}
        if warning in job.warnings:
            return False
        job.warnings = [*job.warnings, warning]
        self._session.flush()
        return True

    # the next stage: one worker at a time, guarded by the job's own fence

    def claim_to_advance(self, job_id: str, lease: float) -> int | None:
        """The fence of the one worker that may take a job, none of whose runs moves, to its next stage or its end.

        None if it has ended or somebody is at it. ``publish_attempts`` counts the claims for the same move.
        """
        change = (
            update(Job)
            .where(Job.id == job_id, *_MAY_ADVANCE, _NOTHING_MOVES)
            .values(
                fence=Job.fence + 1,
                publish_attempts=Job.publish_attempts + 1,
                lease_until=db_now() + lease,
            )
            .returning(Job.fence)
        )
        return self._session.scalar(change)

    def moved_on(self, job_id: str, fence: int, **values: Any) -> None:
        """The job is in its next stage, and free to be claimed at the end of that. Raises FenceLost."""
        change = (
            update(Job)
            .where(
                Job.id == job_id,
                Job.fence == fence,
                Job.status.in_(JOB_OPEN),
                Job.cancel_requested.is_(False),
            )
            .values(lease_until=None, publish_attempts=0, **values)
        )
        if not self._changed(change):
            raise FenceLost(job_id)

    def end(self, job_id: str, fence: int, status: JobState, **values: Any) -> None:
        """The job's last move. Raises FenceLost when another worker has taken it over."""
        change = (
            update(Job)
            .where(Job.id == job_id, Job.fence == fence, Job.status.in_(JOB_OPEN))
            .values(status=status, lease_until=None, finished_at=db_now(), **values)
        )
        if not self._changed(change):
            raise FenceLost(job_id)
        Deliveries(self._session).add(job_id, status)

    def let_go(self, job_id: str, fence: int) -> None:
        """The move failed; leave the job to a later try."""
        self._session.execute(
            update(Job)
            .where(Job.id == job_id, Job.fence == fence, Job.status.in_(JOB_OPEN))
            .values(lease_until=None)
        )

    def to_advance(self, limit: int) -> Sequence[str]:
        """Open jobs none of whose runs moves and that nobody is at: their worker was lost on the way."""
        query = select(Job.id).where(*_MAY_ADVANCE, _NOTHING_MOVES)
        return self._session.scalars(query.order_by(Job.id).limit(limit)).all()

    def release_leases(self) -> None:
        """At the start of a stack that is known to be alone, nobody can be publishing."""
        self._session.execute(update(Job).where(Job.status.in_(JOB_OPEN)).values(lease_until=None))

    def _changed(self, change: Any) -> bool:
        result = self._session.execute(change)
        return isinstance(result, CursorResult) and result.rowcount == 1

    # re-sent creations

    def created_with(self, owner_id: str, key: str) -> IdempotencyKey | None:
        return self._session.get(IdempotencyKey, (owner_id, key))

    def remember_key(self, owner_id: str, key: str, request_sha256: str, job_id: str) -> None:
        self._session.add(
            IdempotencyKey(owner_id=owner_id, key=key, request_sha256=request_sha256, job_id=job_id)
        )
        self._session.flush()

    def made_lately(self, owner_id: str, request_sha256: str, seconds: float) -> str | None:
        """The id of the newest job that this request made within the last so many seconds."""
        same = select(Job.id).where(Job.owner_id == owner_id, Job.request_sha256 == request_sha256)
        lately = same.where(Job.created_at > db_now() - seconds).order_by(
            Job.created_at.desc(), Job.id.desc()
        )
        return self._session.scalar(lately.limit(1))

    def remember_resent(self, owner_id: str, request_sha256: str, job_id: str) -> None:
        """Note that the job was made by a request sent again, and that nothing had come of the first so far."""
        key = _resent_key(request_sha256)
        self._session.merge(
            IdempotencyKey(owner_id=owner_id, key=key, request_sha256=request_sha256, job_id=job_id)
        )
        self._session.flush()

    def made_by_resent(self, owner_id: str, request_sha256: str, *, since: float) -> str | None:
        """The id of the job that this request, sent again, has made since a time of the database's clock."""
        made = select(Job.id).join(IdempotencyKey, IdempotencyKey.job_id == Job.id)
        mine = made.where(
            IdempotencyKey.owner_id == owner_id, IdempotencyKey.key == _resent_key(request_sha256)
        )
        return self._session.scalar(mine.where(Job.created_at > since))

    def remember_extension(self, job: Job, request_sha256: str) -> None:
        """Note that runs were added to the job by this request, now."""
        key, now = _extension_key(request_sha256), db_now()
        of_job = {"owner_id": job.owner_id, "request_sha256": request_sha256, "job_id": job.id}
        self._session.merge(IdempotencyKey(key=key, created_at=now, **of_job))
        self._session.flush()

    def extended_lately(self, job: Job, request_sha256: str, seconds: float) -> bool:
        """Whether this request has added runs to the job within the last so many seconds."""
        mine = (
            IdempotencyKey.owner_id == job.owner_id,
            IdempotencyKey.key == _extension_key(request_sha256),
        )
        lately = IdempotencyKey.created_at > db_now() - seconds
        return self._session.scalar(select(IdempotencyKey.key).where(*mine, lately)) is not None


def _extension_key(request_sha256: str) -> str:
    return f"extension {request_sha256}"


def _resent_key(request_sha256: str) -> str:
    return f"resent {request_sha256}"  # no key that a caller gives holds a blank
