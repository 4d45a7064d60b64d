"""Checks of what an owner uses against its limits, in the transaction that would use more.

The owner is locked first, until the transaction ends: of two requests that would pass one by one
but not both, one is refused.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.db.locks import lock_name
from shared.db.tables import File, Job, Run, Upload
from shared.domain.limit_errors import (
    FilesLimit,
    JobRunsLimit,
    OpenJobsLimit,
    QueuedRunsLimit,
    StoredBytesLimit,
)
from shared.domain.states import OPEN_JOB_STATES, Purpose, RunState, UploadState
from shared.domain.wording import format_count
from shared.infra.owner_limits import OwnerLimits


class _Sizes(NamedTuple):
    rows: int
    bytes: int


def lock_owner_usage(session: Session, owner_id: str, limits: OwnerLimits) -> "OwnerUsage":
    """Return what the owner uses, which no other transaction changes until this one ends."""
    lock_name(session, f"limits of owner {owner_id}")
    return OwnerUsage(session, owner_id, limits)


class OwnerUsage:
    """What one owner uses now, against its limits."""

    def __init__(self, session: Session, owner_id: str, limits: OwnerLimits) -> None:
        self._session = session
        self._owner_id = owner_id
        self._limits = limits

    def require_room_for_file(self, size: int) -> None:
        """Raise StoredBytesLimit or FilesLimit if one more file of ``size`` bytes is too much.

        A pending upload counts as the file that it will be.
        """
        files = self._sum_sizes(File.bytes, File.owner_id == self._owner_id)
        announced = self._sum_sizes(
            Upload.bytes, Upload.owner_id == self._owner_id, Upload.status == UploadState.PENDING
        )
        if files.rows + announced.rows >= self._limits.owner_files:
            raise FilesLimit(
                f"The limit of {format_count(self._limits.owner_files, 'file')} of an owner is "
                "reached; delete files that are not needed any more."
            )
        used, allowed = files.bytes + announced.bytes, self._limits.owner_stored_bytes
        if used + size > allowed:
            raise StoredBytesLimit(
                f"The file has {size:,} bytes, and {used:,} of the {allowed:,} bytes of an owner "
                "are used; delete files that are not needed any more."
            )

    def require_room_for_job(self) -> None:
        """Raise OpenJobsLimit if one more open job is too much."""
        open_jobs = self._count_rows(
            Job, Job.owner_id == self._owner_id, Job.status.in_(OPEN_JOB_STATES)
        )
        if open_jobs >= self._limits.owner_open_jobs:
            raise OpenJobsLimit(
                f"The limit of {format_count(self._limits.owner_open_jobs, 'open job')} of an "
                "owner is reached; wait until one has ended, or cancel one."
            )

    def require_room_for_runs(self, added: int) -> None:
        """Raise QueuedRunsLimit if ``added`` more waiting runs are too many."""
        waiting = self._count_rows(
            Run,
            Run.owner_id == self._owner_id,
            Run.status.in_((RunState.QUEUED, RunState.PAUSED)),
        )
        if waiting + added > self._limits.owner_queued_runs:
            raise QueuedRunsLimit(
                f"The request adds {format_count(added, 'run')} to {waiting:,} that wait, but at "
                f"most {format_count(self._limits.owner_queued_runs, 'run')} of an owner may wait; "
                "retry when runs have ended, or cancel a job."
            )

    def require_runs_within_job(self, job_id: str, added: int, *, param: str) -> None:
        """Raise JobRunsLimit if the job has too many main runs with ``added`` more."""
        existing = self._count_rows(Run, Run.job_id == job_id, Run.purpose == Purpose.MAIN)
        if existing + added > self._limits.owner_job_runs:
            raise JobRunsLimit(
                f"The job would have {format_count(existing + added, 'run')}, and the limit is "
                f"{self._limits.owner_job_runs:,}; give fewer seeds or folds.",
                param=param,
            )

    def _sum_sizes(self, sizes: InstrumentedAttribute[int], *rows: ColumnElement[bool]) -> _Sizes:
        query = select(func.count(), func.coalesce(func.sum(sizes), 0)).where(*rows)
        count, total = self._session.execute(query).one()
        return _Sizes(int(count), int(total))  # PostgreSQL returns sums of bigints as Decimal

    def _count_rows(self, table: type[Job | Run], *rows: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(*rows)
        return self._session.scalar(query) or 0
