"""Recognize a repeated request that creates or extends a job, so that it has no second effect.

A request with an ``Idempotency-Key`` is recognized by its key. One without is recognized by its
digest, if the official client counts it as a retry and the first attempt is recent.
"""

import hashlib
import time
from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.dependencies import AppServices
from api.jobs.request_identity import RequestIdentity
from shared.db.clock import read_db_time
from shared.db.idempotency import IdempotencyKeys
from shared.db.locks import lock_name
from shared.db.tables import Job
from shared.domain.errors import IdempotencyKeyReused

RESEND_WINDOW_S = 15 * 60


def compute_request_digest(request: BaseModel, prefix: str = "") -> str:
    """Return a digest of the body; ``prefix`` distinguishes operations with equal bodies."""
    body = request.model_dump_json(exclude={"dry_run"})
    return hashlib.sha256(f"{prefix}{body}".encode()).hexdigest()


def run_once(
    services: AppServices, identity: RequestIdentity, digest: str, write: Callable[[], str]
) -> str:
    """Return the job ID that ``write`` returns, or that of an earlier copy of the request.

    Copies with the same key may arrive concurrently: each inserts the key, so the transaction of
    the later one fails. Raises IdempotencyKeyReused if the key came with another request.
    """
    existing = _find_existing_job(services, identity, digest)
    if existing is not None:
        return existing
    try:
        return write()
    except IntegrityError:
        existing = _find_existing_job(services, identity, digest)
        if existing is None:
            raise
        return existing


def _find_existing_job(services: AppServices, identity: RequestIdentity, digest: str) -> str | None:
    if identity.key is None:
        return _find_recent_job(services, digest) if identity.is_resent else None
    with services.database.read() as session:
        existing = IdempotencyKeys(session).find_idempotency_key(services.owner_id, identity.key)
    if existing is None:
        return None
    if existing.request_sha256 != digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used for a different request; use a new key.",
            param="Idempotency-Key",
        )
    return existing.job_id


def _find_recent_job(services: AppServices, digest: str) -> str | None:
    with services.database.read() as session:
        return IdempotencyKeys(session).find_recent_by_digest(
            services.owner_id, digest, RESEND_WINDOW_S
        )


def find_concurrent_job(
    session: Session, owner_id: str, identity: RequestIdentity, digest: str
) -> str | None:
    """Return the ID of the job that a copy of this request created while this one was processed.

    A client that gives up waiting sends again while its first request is still processed, and
    either may finish first. Further copies wait until the transaction ends.
    """
    if identity.key is not None:
        return None  # the row of the key decides
    lock_name(session, digest)
    keys = IdempotencyKeys(session)
    if identity.is_resent:
        return keys.find_recent_by_digest(owner_id, digest, RESEND_WINDOW_S)
    now = read_db_time(session)  # only after the lock, which may have waited
    arrived_at = now - (time.monotonic() - identity.arrived_at)
    return keys.find_made_by_copy(owner_id, digest, since=arrived_at)


def is_repeated_extension(
    session: Session, job: Job, identity: RequestIdentity, digest: str
) -> bool:
    """Return whether a copy of this request without a key extended the locked job recently."""
    if identity.key is not None or not identity.is_resent:
        return False
    return IdempotencyKeys(session).was_extended_recently(job, digest, RESEND_WINDOW_S)


def record_extension(session: Session, job: Job, identity: RequestIdentity, digest: str) -> None:
    """Store that the request extended the job, so that a copy of it adds no runs."""
    keys = IdempotencyKeys(session)
    keys.record_extension(job, digest)
    if identity.key is not None:
        keys.record_idempotency_key(job.owner_id, identity.key, digest, job.id)


def record_creation(session: Session, job: Job, identity: RequestIdentity, digest: str) -> None:
    """Store that the request created the job, so that a copy of it finds the job."""
    session.flush()
    if identity.key is not None:
        IdempotencyKeys(session).record_idempotency_key(job.owner_id, identity.key, digest, job.id)
    elif identity.is_resent:
        IdempotencyKeys(session).record_copy(job.owner_id, digest, job.id)
