"""Digest of a job's rows, for its cached response and ETag: equal digests, equal responses.

It is cheap compared with the report: two statements and nothing parsed. Every column counts
unless it is named here, so a new column can change the digest too often but never too seldom.
"""

import hashlib
from typing import NamedTuple

from sqlalchemy import Column, Text, bindparam, cast, select
from sqlalchemy.orm import Session

from shared.db.jobs import build_job_not_found
from shared.db.tables import Job, Run
from shared.db.tables.typed_json import TypedJson

IGNORED_JOB_COLUMNS = frozenset({"fence", "lease_until", "publish_attempts", "request_sha256"})
"""Columns that only workers read."""
IGNORED_RUN_COLUMNS = frozenset(
    {"fence", "lease_until", "enqueued_at", "deaths", "death_step", "result", "environment"}
)
"""Those, and columns that only the page of a run and the full report show."""


def _select_columns(table: type[Job] | type[Run], ignored: frozenset[str]) -> list[Column[object]]:
    columns = [column for column in table.__table__.columns if column.name not in ignored]
    # compared as the database's own text, so nothing is parsed
    return [
        cast(column, Text) if isinstance(column.type, TypedJson) else column  # type: ignore[misc]
        for column in columns
    ]


_JOB_QUERY = select(*_select_columns(Job, IGNORED_JOB_COLUMNS)).where(
    Job.id == bindparam("job_id"), Job.owner_id == bindparam("owner_id")
)
_RUNS_QUERY = (
    select(*_select_columns(Run, IGNORED_RUN_COLUMNS))
    .where(Run.job_id == bindparam("job_id"))
    .order_by(Run.id)
)


class Fingerprint(NamedTuple):
    digest: str
    job_status: str
    """Columns of the job."""


def compute_fingerprint(session: Session, job_id: str, owner_id: str) -> Fingerprint:
    """Digest of the job and all its runs as this transaction sees them. Raises JobNotFound,
    also for another owner's job.
    """
    job = session.execute(_JOB_QUERY, {"job_id": job_id, "owner_id": owner_id}).one_or_none()
    if job is None:
        raise build_job_not_found(job_id)
    runs = session.execute(_RUNS_QUERY, {"job_id": job_id}).all()
    rows = [tuple(row) for row in (job, *runs)]
    return Fingerprint(hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest(), job.status)
