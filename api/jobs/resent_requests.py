"""Recognise a creation that is sent again, so that it creates nothing new.

A request with an ``Idempotency-Key`` is recognised by its key. One without is recognised by its
digest, if the official client counts it as a retry and the first attempt is recent.
"""

import hashlib
import time
from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.idempotency import RequestIdentity
from api.jobs.request_schemas import JobRequest
from shared.db.clock import read_db_time
from shared.db.files import lock_digest
from shared.db.idempotency import IdempotencyKeys
from shared.db.tables import Job
from shared.domain.errors import IdempotencyKeyReused

RESEND_WINDOW_S = 15 * 60


def compute_request_digest(request: JobRequest, prefix: str = "") -> str:
    body = request.model_dump_json(exclude={"dry_run"})
    return hashlib.sha256(f"{prefix}{body}".encode()).hexdigest()


def find_existing_job(services: AppServices, identity: RequestIdentity, digest: str) -> str | None:
    """Return the id of the job that this request already made.

    Raises IdempotencyKeyReused if the key came with another request.
    """
    if identity.key is None:
        return _find_recent_job(services, digest) if identity.is_resent else None
    with services.database.read() as session:
        existing = IdempotencyKeys(session).find_idempotency_key(services.owner_id, identity.key)
    if existing is None:
        return None
    if existing.request_sha256 != digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used with a different request; use a new key.",
            param="Idempotency-Key",
        )
    return existing.job_id


def _find_recent_job(services: AppServices, digest: str) -> str | None:
    with services.database.read() as session:
        return IdempotencyKeys(session).find_recent_by_digest(
            services.owner_id, digest, RESEND_WINDOW_S
        )


def run_unless_resent(
    services: AppServices, identity: RequestIdentity, digest: str, write: Callable[[], str]
) -> str:
    """Return the job id that ``write`` returns, or that of a concurrent request with the same key.

    Both requests insert the key, so the transaction of the later one fails.
    """
    try:
        return write()
    except IntegrityError:
        existing = find_existing_job(services, identity, digest)
        if existing is None:
            raise
        return existing


def find_concurrent_job(
    session: Session, owner_id: str, identity: RequestIdentity, digest: str
) -> str | None:
    """Return the id of the job that a copy of this request made while this one was processed.

    A client that gives up waiting sends again while its first request is still processed, and
    either may finish first. Further copies wait until the transaction ends.
    """
    if identity.key is not None:
        return None  # the row of the key decides
    lock_digest(session, digest)
    keys = IdempotencyKeys(session)
    if identity.is_resent:
        return keys.find_recent_by_digest(owner_id, digest, RESEND_WINDOW_S)
    now = read_db_time(session)  # only after the lock, which may have waited
    arrived_at = now - (time.monotonic() - identity.arrived_at)
    return keys.find_made_by_copy(owner_id, digest, since=arrived_at)


def record_request(session: Session, job: Job, identity: RequestIdentity, digest: str) -> None:
    """Store that the request made the job, so that a copy of it finds the job."""
    session.flush()
    if identity.key is not None:
        IdempotencyKeys(session).record_idempotency_key(job.owner_id, identity.key, digest, job.id)
    elif identity.is_resent:
        IdempotencyKeys(session).record_copy(job.owner_id, digest, job.id)
