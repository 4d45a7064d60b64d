"""A short digest of a job's rows: equal digests mean equal answers.

It is cheap compared with the report: two statements and nothing parsed. Every column counts
unless it is named here, so a new column can change the digest too often but never too seldom.
"""

import hashlib
from typing import NamedTuple

from sqlalchemy import JSON, Column, Text, bindparam, cast, select
from sqlalchemy.orm import Session

from shared.db.jobs import no_such_job
from shared.db.tables import Job, Run

UNSEEN_OF_JOB = frozenset({"fence", "lease_until", "publish_attempts", "request_sha256"})
"""Columns that only workers read."""
UNSEEN_OF_RUN = frozenset(
    {"fence", "lease_until", "enqueued_at", "deaths", "death_step", "result", "environment"}
)
"""Those, and columns that only the page of a run and the full report show."""


def _seen(table: type[Job] | type[Run], unseen: frozenset[str]) -> list[Column[object]]:
    columns = [column for column in table.__table__.columns if column.name not in unseen]
    # compared as the database's own text, so nothing is parsed
    return [cast(column, Text) if isinstance(column.type, JSON) else column for column in columns]  # type: ignore[misc]


_JOB = select(*_seen(Job, UNSEEN_OF_JOB)).where(
    Job.id == bindparam("job_id"), Job.owner_id == bindparam("owner_id")
)
_RUNS = select(*_seen(Run, UNSEEN_OF_RUN)).where(Run.job_id == bindparam("job_id")).order_by(Run.id)


class Fingerprint(NamedTuple):
    digest: str
    status: str
    """Columns of the job."""


def fingerprint(session: Session, job_id: str, owner_id: str) -> Fingerprint:
    """Digest of the job and all its runs as this transaction sees them. Raises JobNotFound,
    also for another owner's job.
    """
    job = session.execute(_JOB, {"job_id": job_id, "owner_id": owner_id}).one_or_none()
    if job is None:
        raise no_such_job(job_id)
    runs = session.execute(_RUNS, {"job_id": job_id}).all()
    rows = [tuple(row) for row in (job, *runs)]
    return Fingerprint(hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest(), job.status)
