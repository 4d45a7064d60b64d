"""Queries on repeated requests: the keys under which their results are recorded."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.clock import db_now
from shared.db.tables import IdempotencyKey, Job


class IdempotencyKeys:
    def __init__(self, session: Session) -> None:
        self._session = session

    def find_idempotency_key(self, owner_id: str, key: str) -> IdempotencyKey | None:
        return self._session.get(IdempotencyKey, (owner_id, key))

    def record_idempotency_key(
        self, owner_id: str, key: str, request_sha256: str, job_id: str
    ) -> None:
        self._session.add(
            IdempotencyKey(owner_id=owner_id, key=key, request_sha256=request_sha256, job_id=job_id)
        )
        self._session.flush()

    def find_recent_by_digest(
        self, owner_id: str, request_sha256: str, window_seconds: float
    ) -> str | None:
        """Return the newest job that this request created within the last ``window_seconds``."""
        same = select(Job.id).where(Job.owner_id == owner_id, Job.request_sha256 == request_sha256)
        lately = same.where(Job.created_at > db_now() - window_seconds).order_by(
            Job.created_at.desc(), Job.id.desc()
        )
        return self._session.scalar(lately.limit(1))

    def record_copy(self, owner_id: str, request_sha256: str, job_id: str) -> None:
        """Record that a repeated request created the job, because the first one had not."""
        key = _build_resend_key(request_sha256)
        self._session.merge(
            IdempotencyKey(owner_id=owner_id, key=key, request_sha256=request_sha256, job_id=job_id)
        )
        self._session.flush()

    def find_made_by_copy(self, owner_id: str, request_sha256: str, *, since: float) -> str | None:
        """Return the job that this repeated request has created since ``since`` (database
        clock).
        """
        made = select(Job.id).join(IdempotencyKey, IdempotencyKey.job_id == Job.id)
        mine = made.where(
            IdempotencyKey.owner_id == owner_id,
            IdempotencyKey.key == _build_resend_key(request_sha256),
        )
        return self._session.scalar(mine.where(Job.created_at > since))

    def record_extension(self, job: Job, request_sha256: str) -> None:
        """Record that this request added runs to the job now."""
        key, now = _build_extension_key(request_sha256), db_now()
        of_job = {"owner_id": job.owner_id, "request_sha256": request_sha256, "job_id": job.id}
        self._session.merge(IdempotencyKey(key=key, created_at=now, **of_job))
        self._session.flush()

    def was_extended_recently(self, job: Job, request_sha256: str, window_seconds: float) -> bool:
        """Return whether this request added runs to the job within the last ``window_seconds``."""
        mine = (
            IdempotencyKey.owner_id == job.owner_id,
            IdempotencyKey.key == _build_extension_key(request_sha256),
        )
        lately = IdempotencyKey.created_at > db_now() - window_seconds
        return self._session.scalar(select(IdempotencyKey.key).where(*mine, lately)) is not None


def _build_extension_key(request_sha256: str) -> str:
    return f"extension {request_sha256}"


def _build_resend_key(request_sha256: str) -> str:
    return f"resent {request_sha256}"  # a caller's key never contains a blank
